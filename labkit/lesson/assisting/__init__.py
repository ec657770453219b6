"""A student's files opened by whoever helps: in a folder and a cloud of their own.

What belongs here: opening, trying out, the one screen. What does not: marks (labkit.classroom), helping oneself
(labkit.lesson.help).
"""
