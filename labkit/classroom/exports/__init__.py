"""Marks in the forms that platforms import, one module each.

What belongs here: forms, by the importers' documented rules. What does not: the marks (labkit.classroom.marks), which
verdicts they come from (labkit.classroom.standing).
"""
