"""Step 08: The same lab with the other engine (optional)."""

from _launch import launch

launch("08")
