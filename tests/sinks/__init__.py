"""Copies of a store in servers that other tools read."""
