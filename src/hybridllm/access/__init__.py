"""Floor 3: who may call, decided in memory."""
