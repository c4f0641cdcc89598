"""Tests of each module, of properties, of the documents and of the repository."""
