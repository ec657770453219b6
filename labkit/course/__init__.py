"""The course's own content: lab.toml and course.toml and what hangs on them, a student's values, files, answers and build.

What belongs here: reading, rendering and assembling. What does not: deploying, judging.
"""
