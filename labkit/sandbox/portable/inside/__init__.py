"""What runs inside the processes themselves: the start-up hook of every Python of a portable sandbox.

Each instance gets a copy of this folder, so it uses the standard library and relative imports only.
"""
