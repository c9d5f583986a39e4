"""Floor 5: the asynchronous lane. Work that can wait is stored before it is acknowledged, goes to
the providers' batch APIs at half price, and is answered by its deadline."""
