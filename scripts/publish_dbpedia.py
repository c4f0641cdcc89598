"""Publish the recall lines of the DBpedia benchmark."""

from bench_db.cli.lance_bench import publish_script

if __name__ == "__main__":
    publish_script("dbpedia", "DBpedia recall", argument="output_path")
