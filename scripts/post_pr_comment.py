"""The script `post_pr_comment.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.seed import post_pr_comment

if __name__ == "__main__":
    post_pr_comment()
