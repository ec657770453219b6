"""Step 09: See what your lab is worth, line by line."""

from _launch import launch

launch("09")
