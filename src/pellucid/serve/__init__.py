"""Models behind HTTP. Needs the extra `serve`: fastapi, uvicorn, prometheus-client."""
