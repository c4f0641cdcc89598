"""One module per format of benchmark output."""
