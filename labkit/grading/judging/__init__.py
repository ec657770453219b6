"""Coming to a verdict on one line: the session, what a check is given, whose mistake it is, what is told."""
