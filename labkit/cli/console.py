"""What people and machines see: events, results and errors on the terminal.

The only module that prints. Three ways: rich (a terminal), plain (pipes, screen readers, `--plain`,
NO_COLOR), and JSON lines (`--json`). Colour is never the only signal: ✓ ✗ ! stand beside it.

What belongs here: presentation. What does not: deciding what is true.
"""

import json
import os
import sys
import textwrap
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.base.text import printable

WIDTH = 80
MARKS: Mapping[str, str] = {"step": "", "note": "·", "resource": " ", "warning": "!", "done": "✓"}


class Console(Protocol):
    """Where events, lines and errors go."""

    def event(self, event: Event) -> None:
        """Show one event."""
        ...

    def line(self, text: str = "", *, style: str = "") -> None:
        """Show one line of text (of ours); `style` is "", "good", "bad", "warn", "strong" or "dim"."""
        ...

    def result(self, value: Mapping[str, Any]) -> None:
        """The machine-readable end of a command (shown by the JSON console only)."""
        ...

    def error(self, error: LabError) -> None:
        """Show what went wrong and the next thing to do."""
        ...

    def hint(self, text: str) -> None:
        """Show the next thing to do."""
        ...

    def fact(self, label: str, value: str, width: int) -> None:
        """Show a value beside its label, which takes `width` columns."""
        ...

    def close(self) -> None:
        """End whatever is being drawn."""
        ...


def open_console(*, plain: bool, as_json: bool) -> Console:
    """The console for this terminal and these options."""
    if as_json:
        return JsonConsole(sys.stdout)
    if plain or "NO_COLOR" in os.environ or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainConsole(sys.stdout)
    return RichConsole(sys.stdout)


class JsonConsole:
    """One JSON object a line: {"event": …}, at the end {"result": …} or {"error": …}."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _write(self, value: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._out.flush()

    def event(self, event: Event) -> None:
        """One line for each event."""
        self._write({"event": {"kind": event.kind, "text": event.text, **event.data}})

    def line(self, text: str = "", *, style: str = "") -> None:
        """Lines are for people: nothing."""

    def result(self, value: Mapping[str, Any]) -> None:
        """The last line of a command that went through."""
        self._write({"result": value})

    def error(self, error: LabError) -> None:
        """The last line of a command that did not."""
        self._write({"error": {"message": error.message, "hint": error.hint}})

    def hint(self, text: str) -> None:
        """Hints stand in the checks and errors already: nothing."""

    def fact(self, label: str, value: str, width: int) -> None:
        """Facts stand in the result already: nothing."""

    def close(self) -> None:
        """Nothing is being drawn."""


class PlainConsole:
    """Lines of text without colour or movement."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last_tenth = -1

    def event(self, event: Event) -> None:
        """One line for each event; of progress only every tenth part."""
        if event.kind == "progress":
            self._progress(event)
            return
        if event.kind == "step":
            self.line()
            self.line(printable(event.text), style="strong")
            return
        if event.kind == "resource" and str(event.data.get("status", "")).endswith("IN_PROGRESS"):
            return  # for people the end of each is news enough
        mark = _mark_of_check(event) if event.kind == "check" else MARKS.get(event.kind, "")
        style = {"✓": "good", "✗": "bad", "!": "warn", "?": "warn", " ": "dim", "·": "dim"}.get(mark, "")
        self._marked(mark, printable(event.text), style)
        details = event.data.get("details")
        for detail in details if isinstance(details, list) else ():
            self.line(f"    {printable(str(detail))}")

    def _progress(self, event: Event) -> None:
        done, total = int(str(event.data.get("done", 0))), int(str(event.data.get("total", 0)))
        tenth = 10 * done // total if total else 0
        if tenth != self._last_tenth:
            self._last_tenth = tenth
            self._marked("·", f"{printable(event.text)} {done}/{total}", "dim")

    def _marked(self, mark: str, text: str, style: str) -> None:
        lead = f"{mark} " if mark else ""
        wrapped = textwrap.wrap(text, WIDTH - len(lead), break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(wrapped or [""]):
            self.line((lead if number == 0 else " " * len(lead)) + line, style=style)

    def line(self, text: str = "", *, style: str = "") -> None:
        """The text as it is."""
        self._out.write(text + "\n")
        self._out.flush()

    def result(self, value: Mapping[str, Any]) -> None:
        """Results are for machines: nothing."""

    def error(self, error: LabError) -> None:
        """✗ what happened, then the next thing to do."""
        for number, part in enumerate(error.message.splitlines() or [""]):
            self._marked("✗" if number == 0 else " ", printable(part), "bad" if number == 0 else "")
        self.hint(error.hint)

    def hint(self, text: str) -> None:
        """→ the next thing to do; a line that begins with two spaces is a command, shown whole for pasting."""
        for number, part in enumerate(text.splitlines()):
            if part.startswith("  "):
                self.line(printable(part), style="strong")
            else:
                self._marked("→" if number == 0 else " ", printable(part), "strong")

    def fact(self, label: str, value: str, width: int) -> None:
        """`value` beside its label, which takes `width` columns; later lines stand below the first."""
        lead = f"  {label:<{width}}  "
        lines = textwrap.wrap(
            printable(value), max(WIDTH - len(lead), 20), break_long_words=False, break_on_hyphens=False
        )
        for number, line in enumerate(lines or [""]):
            self.line((lead if number == 0 else " " * len(lead)) + line)

    def close(self) -> None:
        """Nothing is being drawn."""


class RichConsole(PlainConsole):
    """The same lines in colour, and a moving bar for what takes longer than a second."""

    _STYLES: Mapping[str, str] = {
        "good": "green",
        "bad": "bold red",
        "warn": "yellow",
        "strong": "bold",
        "dim": "dim",
    }

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        from rich.console import Console as Terminal

        self._terminal = Terminal(file=out, highlight=False, soft_wrap=True)
        self._bar: Any = None
        self._task: Any = None

    def _progress(self, event: Event) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        total, done = int(str(event.data.get("total", 0))), int(str(event.data.get("done", 0)))
        if self._bar is None:
            self._bar = Progress(
                TextColumn("  {task.description}"),
                BarColumn(24),
                MofNCompleteColumn(),
                console=self._terminal,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(self._task, description=printable(event.text)[:40], total=total, completed=done)
        if done >= total:
            self.close()

    def line(self, text: str = "", *, style: str = "") -> None:
        """The text in its colour."""
        self._terminal.print(text, style=self._STYLES.get(style, ""), markup=False)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _mark_of_check(event: Event) -> str:
    """Passed or failed; or neither, where it could not be judged."""
    if event.data.get("outcome") == "not judged":
        return "?"
    return "✓" if event.data.get("passed") else "✗"
