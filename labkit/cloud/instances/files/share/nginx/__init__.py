"""nginx as an instance has it: a real web server and reverse proxy that reads nginx's own configuration.

What belongs here: the directives that labs use; others are refused by name. What does not: TLS, rewriting, caching.
Runs inside the instance, by this machine's interpreter: standard library only.
"""

VERSION = "1.28.0"
