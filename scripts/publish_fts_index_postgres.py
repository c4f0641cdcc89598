"""Publish a results file of the full-text-search benchmark on PostgreSQL."""

from bench_db.cli.lance_bench import publish_script

if __name__ == "__main__":
    publish_script("values-ns", "FTS index", dut_name="postgres", argument="output_path")
