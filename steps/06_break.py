"""Step 06: Break it, find it, repair it."""

from _launch import launch

launch("06")
