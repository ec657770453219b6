"""Comparing the two engines: trials, parity."""
