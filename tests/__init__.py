"""The tests: they mirror the source, and besides it properties, documents and the repository itself."""
