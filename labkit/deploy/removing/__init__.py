"""Taking deployments away, and proving by listing that nothing survived."""
