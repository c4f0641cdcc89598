"""The scripts of lance-bench, run as it ran them."""
