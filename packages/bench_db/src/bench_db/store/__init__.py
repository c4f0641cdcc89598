"""The store: Lance tables in a directory or a bucket, written by many at once and read through Polars."""
