"""Step 04: Follow a packet from the function to the server."""

from _launch import launch

launch("04")
