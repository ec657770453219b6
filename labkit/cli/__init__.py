"""The command line and the terminal: the only place that prints."""
