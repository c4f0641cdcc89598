"""The import name of lance-bench, kept working on top of bench_db."""
