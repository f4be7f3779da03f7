"""Speed compared with other libraries; README.md has the commands and the last figures."""
