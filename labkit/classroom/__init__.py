"""A class: from a folder of hand-ins to marks in a learning platform.

What belongs here: hand-ins, the roster, the ledger of verdicts, the mark, many gradings at once, exports, the overview.
What does not: judging one submission (labkit.grading), printing.
"""
