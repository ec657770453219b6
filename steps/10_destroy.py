"""Step 10: Delete everything and prove it."""

from _launch import launch

launch("10")
