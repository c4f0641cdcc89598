"""What to measure next: the configuration, ranges of commits, plans and bisections. Pure."""
