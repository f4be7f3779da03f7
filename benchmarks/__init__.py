"""Speed beside that of peers; README.md says how to run each and shows the last figures."""
