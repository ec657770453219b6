"""Breaking the deployed system on purpose, and mending it."""
