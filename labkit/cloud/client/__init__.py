"""The local cloud as its users see it: finding, starting, asking and stopping the server."""
