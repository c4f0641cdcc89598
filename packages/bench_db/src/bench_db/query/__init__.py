"""Queries over results: frames in, frames out, no I/O."""
