"""Floor 7: HTTP in. Raw ASGI on uvicorn; one file a dialect's endpoints."""
