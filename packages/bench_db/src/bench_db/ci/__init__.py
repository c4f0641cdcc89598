"""Continuous integration: what a job's environment says, and what bench_db asks of a forge."""
