"""The script `compare_pr_benchmarks.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import compare_pr_benchmarks

if __name__ == "__main__":
    compare_pr_benchmarks()
