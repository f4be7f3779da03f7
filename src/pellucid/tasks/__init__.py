"""What a model is trained to do: one small file a task."""
