"""A local page in a browser, until Ctrl-C.

What belongs here: saying where it is, opening it, waiting. What does not: the server and the pages.
"""

import contextlib
import signal
from typing import TYPE_CHECKING

from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.lesson.page.serving import Site


def until_ctrl_c(site: "Site", console: Console, what: str, does: str, *, browser: bool) -> None:
    """Serve the page, say its address, open it where `browser`; return after Ctrl-C."""
    from labkit.lesson.page import serving

    with serving.serve(site) as url:
        console.line(f"{what}: {url}", style="strong")
        console.line(f"{does} End it with Ctrl-C.")
        if browser:
            import webbrowser

            webbrowser.open(url)
        console.result({"url": url})
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
