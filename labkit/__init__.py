"""The lab kit: one package behind the numbered steps, the local cloud and the grader.

What belongs here: the version. What does not: anything that runs at import.
"""

__version__ = "0.2.0"
