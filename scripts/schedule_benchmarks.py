"""lance-bench's `schedule_benchmarks.py`: its flags and exit codes."""

from bench_db.cli.seed import schedule_benchmarks

if __name__ == "__main__":
    schedule_benchmarks()
