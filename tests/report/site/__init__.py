"""The static site, file by file."""
