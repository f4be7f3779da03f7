"""From a task and text to a trained model."""
