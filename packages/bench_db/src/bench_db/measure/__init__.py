"""Measuring on this machine: work trees, processes, the journal and the outbox."""
