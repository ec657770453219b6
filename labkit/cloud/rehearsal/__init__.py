"""A machine's network in which AWS's own host names lead to a local cloud, for one command and what it starts."""
