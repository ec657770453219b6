"""What every parent that forks on request shares: its children and the messages to it."""
