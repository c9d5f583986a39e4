"""Floor 5: before the money is spent. What a month of work would cost, one way and another."""
