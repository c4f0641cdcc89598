"""Real measurements of two small libraries, which `bench-db demo` publishes; README.md in this folder describes them."""
