"""Benchmarks: the real processes, measured from outside, always against a floor of the same run."""
