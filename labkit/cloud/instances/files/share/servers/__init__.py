"""What the image's web servers (nginx, httpd) have in common: what a site is, answering from it, running.

What does not belong here: their configurations' languages and words. Runs inside the instance, by this machine's
interpreter: standard library only.
"""
