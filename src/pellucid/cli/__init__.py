"""The command line: `main` dispatches to one file a verb. No torch before arguments are parsed."""
