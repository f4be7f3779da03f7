"""The command line: `main` dispatches to one file a verb. torch loads after arguments are parsed."""
