"""The command line, through its own entry point."""
