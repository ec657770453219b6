"""Step 01: Make your own files from the templates."""

from _launch import launch

launch("01")
