"""Reading, checking and batching text, and the built-in corpus."""
