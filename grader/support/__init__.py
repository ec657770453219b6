"""What several checks share: sending images, taking rights away, reading evidence files."""
