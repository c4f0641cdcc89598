"""Real measurements of two small libraries, shipped to be published by `bench-db demo`; see README.md beside this file."""
