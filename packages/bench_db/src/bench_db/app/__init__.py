"""The use cases: publish, compare, check, scan, plan and measure. They return records and print nothing."""
