"""Publish the JSON of pytest-benchmark; version and time may come from its commit_info."""

from bench_db.cli.lance_bench import publish_script

if __name__ == "__main__":
    publish_script("pytest-benchmark", "pytest-benchmark", from_file=True)
