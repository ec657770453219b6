"""AWS's API as instances and functions find it: by its own names, with TLS, subject to their network."""
