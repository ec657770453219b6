"""What the lesson says to who is stuck: hints, cards, tasks, commands by hand."""
