"""lance-bench's `process_pr_comment.py`: its flags and exit codes."""

from bench_db.cli.seed import process_pr_comment

if __name__ == "__main__":
    process_pr_comment()
