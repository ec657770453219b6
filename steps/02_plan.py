"""Step 02: See what would be created, before anything exists."""

from _launch import launch

launch("02")
