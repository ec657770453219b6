"""moto's web application of each service, made once for all clouds of a process and of its forks.

What belongs here: making it, without any state. What does not: what it answers.
"""

import contextlib
import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING

from labkit.cloud.moto_seam.backends import TABLES, kind_of
from labkit.cloud.moto_seam.replacing import Replacements

if TYPE_CHECKING:
    from flask import Flask


@functools.cache
def app_of(service: str) -> "Flask":
    """The application. What moto breaks on goes on to the door, which knows what to answer."""
    from moto.moto_server import werkzeug_app

    replacements = Replacements()
    with contextlib.ExitStack() as undoing:
        undoing.callback(replacements.undo)
        # answers for web pages of other origins: nobody here is one
        replacements.put(werkzeug_app, "DISABLE_GLOBAL_CORS", True)
        if service in TABLES:  # else moto makes a region's whole state, only to ask it for its paths
            paths = object.__new__(kind_of(service))
            replacements.put(
                werkzeug_app, "backends", SimpleNamespace(get_backend=lambda _: {"global": paths})
            )
        made: Flask = werkzeug_app.create_backend_app(service)
    made.config["PROPAGATE_EXCEPTIONS"] = True
    return made
