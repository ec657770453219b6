"""Step 09: Judge your lab by its rubric."""

from _launch import launch

launch("09")
