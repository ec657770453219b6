"""The picture of the deployed system in a browser."""
