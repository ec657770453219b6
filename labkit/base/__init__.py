"""The small things that everybody shares: errors, events, files of state, processes, text.

What belongs here: what imports nothing of the kit and knows nothing of AWS or the course.
"""
