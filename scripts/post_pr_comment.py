"""The script `post_pr_comment.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.lance_bench import run_script

if __name__ == "__main__":
    run_script("post_pr_comment")
