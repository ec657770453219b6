"""The request's path through the deployed system, and finding out where it breaks."""
