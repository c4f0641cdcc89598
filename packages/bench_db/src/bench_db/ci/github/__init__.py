"""GitHub as a forge: commits, workflow runs, comments, checks."""
