"""Sandboxed processes without namespaces: for hosts that refuse them, and for macOS."""
