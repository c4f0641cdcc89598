"""The script `process_pr_comment.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import process_pr_comment

if __name__ == "__main__":
    process_pr_comment()
