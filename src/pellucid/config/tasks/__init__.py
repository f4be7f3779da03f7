"""Settings of each task: one file each, without torch."""
