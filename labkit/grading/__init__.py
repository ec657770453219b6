"""Judging one submission: rubric, checks, verdicts, reports. See labkit.grading.api for how checks are written."""
