"""Real protocol servers on loopback for the tests: an S3 store and a proxy that misbehaves."""
