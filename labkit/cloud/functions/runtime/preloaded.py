"""Imported by the warm parent of all sandboxes: then every function finds its runtime and SDK loaded.

What belongs here: that one act. What does not: what is loaded (see bootstrap).
"""

from labkit.cloud.functions.runtime.bootstrap import preload

preload()
