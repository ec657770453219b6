"""The server process of a local cloud: putting the parts together, watching them, looking into them.

What belongs here: the composition of the other parts of labkit.cloud. What does not: AWS's behaviour.
"""
