"""Names in the store that `bench-db demo` makes."""

QUERY = "benchmarks/test_speed.py::test_query[1]"
SLOW_COMMIT = "110aa08"
