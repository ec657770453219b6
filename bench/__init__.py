"""Measurements, never tests: each figure beside its floor, in the same run."""
