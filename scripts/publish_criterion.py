"""Publish the message stream of cargo-criterion."""

from bench_db.cli.lance_bench import publish_script

if __name__ == "__main__":
    publish_script("criterion", "Criterion")
