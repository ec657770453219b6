"""Step 03: Create your infrastructure from your files."""

from _launch import launch

launch("03")
