"""Floor 3: who may call. One gateway key from the environment, decided in memory."""
