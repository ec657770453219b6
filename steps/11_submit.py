"""Step 11: Pack what you hand in."""

from _launch import launch

launch("11")
