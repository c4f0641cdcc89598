"""The script `merge_pr_results.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import merge_pr_results

if __name__ == "__main__":
    merge_pr_results()
