"""lance-bench's `compare_pr_benchmarks.py`: its flags and exit codes."""

from bench_db.cli.seed import compare_pr_benchmarks

if __name__ == "__main__":
    compare_pr_benchmarks()
