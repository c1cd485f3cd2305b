"""Numbers in, verdicts out. Knows the law and the measurement; knows no clock, line or file."""
