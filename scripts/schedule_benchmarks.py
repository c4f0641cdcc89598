"""The script `schedule_benchmarks.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import schedule_benchmarks

if __name__ == "__main__":
    schedule_benchmarks()
