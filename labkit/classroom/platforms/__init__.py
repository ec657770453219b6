"""The lab on platforms that run a grader of one's own: what is uploaded there, what runs there, and trying that out here.

What belongs here: packages for platforms. What does not: marks that are brought to them as files (labkit.classroom.exports).
"""
