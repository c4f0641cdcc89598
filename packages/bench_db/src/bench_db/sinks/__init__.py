"""Copies of a store in servers and tables that other tools read."""
