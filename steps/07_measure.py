"""Step 07: Measure where the time goes."""

from _launch import launch

launch("07")
