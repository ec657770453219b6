"""Grading where a lab stands on AWS: lines that can be judged by reading are, by the checks' own code; nothing is written."""
