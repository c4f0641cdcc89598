"""Statistics: histories in, typed verdicts out. The formulas are in docs/statistics.md."""
