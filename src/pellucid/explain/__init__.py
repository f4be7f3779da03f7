"""See inside a model: traces, and what changes when parts of it are changed."""
