"""Python releases older than the kit's own interpreter, as servers and functions find them.

What belongs here: making this interpreter look like an older one to a student's code. What does not: which release
an image or a runtime has (instances.image, functions.bootstrap). Runs inside sandboxes: standard library only.
"""
