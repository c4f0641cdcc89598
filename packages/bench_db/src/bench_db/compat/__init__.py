"""lance-bench: its databases and its scripts."""
