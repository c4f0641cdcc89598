"""The script `backfill_benchmarks.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import backfill_benchmarks

if __name__ == "__main__":
    backfill_benchmarks()
