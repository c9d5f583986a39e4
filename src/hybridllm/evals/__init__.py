"""Floor 6: how good is each model at each task? Sets, graders, judges and runs. Through the engine
as production goes, and knows nothing of HTTP in."""
