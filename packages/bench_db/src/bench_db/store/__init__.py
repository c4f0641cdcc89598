"""The store: Lance tables in a directory or a bucket, with concurrent writers, read through Polars."""
