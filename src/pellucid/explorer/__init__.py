"""The page that shows a model's inside."""
