"""AWS's rules as pure functions and frozen records: whoever asks, gets the same answer.

What belongs here: what AWS decides and why (network, IAM, templates, accounts). What does not: enforcing it (labkit.cloud),
explaining it to a student (labkit.lesson), judging by it (labkit.grading).
"""
