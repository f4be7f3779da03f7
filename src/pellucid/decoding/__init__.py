"""Search: the one loop that turns a model's predictions into text."""
