"""The deployed systems that lines are judged on: the texts, the submission as a whole, mixtures with the reference."""
