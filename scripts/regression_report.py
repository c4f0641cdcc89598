"""The script `regression_report.py` of lance-bench, with its flags and exit codes."""

from bench_db.cli.regression_report import regression_report

if __name__ == "__main__":
    regression_report()
