"""`./lab watch`: the whole lab on one screen, gap after gap; saving a file tries it, and it moves on by itself.

What belongs here: the screen, its keys, and waiting for a save. What does not: which gap is due and trying it
(labkit.lesson.at_gap), watching files (labkit.lesson.watching). Files are looked at, not listened to: events do not come on
network disks and WSL's Windows disks.
"""

import argparse
import contextlib
import io
import os
import select
import shlex
import shutil
import subprocess
import sys
import termios
import textwrap
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labkit.base.errors import LabError
from labkit.cli.console import Console, PlainConsole

if TYPE_CHECKING:
    from labkit.lesson.at_gap import Sight
    from labkit.lesson.context import Context

MakeContext = Callable[[Console, Mapping[str, Any]], "Context"]
Command = Callable[[list[str]], int]
KEYS = {
    "h": "hint", "t": "task", "c": "card", "d": "diff", "l": "logs", "e": "edit", "r": "try again", "s": "skip", "q": "quit",
}  # fmt: skip
_WIDTH = 80


class _Quit(Exception):
    """Whoever watches has seen enough."""


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], make: MakeContext, run: Command
) -> None:
    """Add the command to the command line; `run` runs another one."""
    parser = commands.add_parser(
        "watch", help="the whole lab on one screen: save a file, and its gap is tried"
    )
    common(parser)
    parser.add_argument("--once", action="store_true", help="show the screen once and end")
    parser.set_defaults(
        command=lambda arguments, console: Watch(console, make, run, arguments.plain).go(once=arguments.once)
    )


class Watch:
    """One watch, until its end."""

    def __init__(self, console: Console, make: MakeContext, run: Command, plain: bool) -> None:
        self._console, self._make, self._run = console, make, run
        self._whole = not plain and sys.stdin.isatty() and sys.stdout.isatty()
        self._last: list[str] = ["Nothing tried yet: save a file, or press r."]
        self._looked = time.strftime("%H:%M:%S")

    def go(self, *, once: bool) -> int:
        """Show, wait for saves and keys, try; 0 at the end."""
        from labkit.lesson.watching import saves

        self._show()
        if once:
            return 0
        with contextlib.suppress(_Quit, KeyboardInterrupt), _keys():
            for names in saves(self._context().workspace, wait=self._wait):
                if names:
                    self._try(f"Saved: {', '.join(names)}")
        self._console.line("Watching has ended. Next:  ./lab", style="strong")
        return 0

    # ---- What is shown --------------------------------------------------------------------------------

    def _show(self) -> None:
        from labkit.lesson import at_gap

        context = self._context()
        if self._whole:
            self._console.line("\x1b[2J\x1b[H", style="")
        for text, style in screen(context, at_gap.look(context), self._last, self._looked):
            self._console.line(text, style=style)

    def _context(self, extra: Mapping[str, Any] | None = None, console: Console | None = None) -> "Context":
        return self._make(console or self._console, extra or {})

    # ---- Trying ---------------------------------------------------------------------------------------

    def _try(self, why: str) -> None:
        """Try the gap that is due; what the steps say is kept for the screen."""
        from labkit.lesson import at_gap

        before = at_gap.look(self._context()).current
        if before is None:
            return self._show()
        self._console.line(f"{why}. Trying {before.gap.name} …", style="dim")
        said = io.StringIO()
        console = PlainConsole(said)
        try:
            result = at_gap.try_out(lambda extra: self._context(extra, console), before.gap)
            failed = next((check for check in result.checks if not check.passed), None)
            if failed:
                console.hint(failed.hint)
        except LabError as error:
            console.error(error)
        after = at_gap.look(self._context()).current
        moved = after is None or after.gap.name != before.gap.name
        self._last = [f"✓ {before.gap.name} is done."] if moved else _from_first_failure(said.getvalue())
        self._looked = time.strftime("%H:%M:%S")
        return self._show()

    # ---- Keys -----------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        """Wait so long, or for a key, which is done at once."""
        if not sys.stdin.isatty():
            time.sleep(seconds)
            return
        if select.select([sys.stdin], [], [], seconds)[0]:
            self._pressed(os.read(sys.stdin.fileno(), 1).decode("ascii", "replace").lower())

    def _pressed(self, key: str) -> None:
        if key in ("q", "\x04"):
            raise _Quit
        if key == "r":
            self._try("Once more")
        elif key in KEYS:
            self._apart(key)

    def _apart(self, key: str) -> None:
        """Another command on a screen of its own, then back."""
        from labkit.lesson import at_gap

        current = at_gap.look(self._context()).current
        if current is None and key not in "dl":
            return
        with _plain_terminal():
            if key == "e" and current is not None:
                place = current.place
                self._edit(str(self._context().workspace.path / place.file), place.line)
            else:
                self._run(
                    words_of(key, current.gap.name if current else "", current.gap.cards if current else ())
                )
                input("\n(Enter goes back to watching) ")
        self._show()

    def _edit(self, path: str, line: int) -> None:
        command = editor_command(path, line, os.environ, shutil.which)
        if command:
            subprocess.call(command)
            return
        self._console.line(f"No editor was found. Say which:  export EDITOR=nano   The file is {path}")
        input("(Enter goes back to watching) ")


def words_of(key: str, gap: str, cards: tuple[str, ...]) -> list[str]:
    """The command that a key stands for."""
    commands = {
        "h": ["hint", gap],
        "t": ["gap", gap],
        "c": ["card", *cards[:1]],
        "d": ["diff"],
        "l": ["logs", "function"],
        "s": ["skip", gap],
    }
    return commands[key]


def screen(context: "Context", sight: "Sight", last: list[str], looked: str) -> Iterator[tuple[str, str]]:
    """Lines (text, style) of the whole screen, none wider than 80 columns but a path."""
    from labkit.lesson.help.verdicts import SIGNS

    who = f"{context.workspace.variant.student} · {context.target_words}"
    yield f"Watching your lab · {who}"[:_WIDTH], "strong"
    yield "  ".join(f"{SIGNS[known.state]} {known.gap.order}" for known in sight.known), ""
    yield "", ""
    if sight.current is None:
        yield "✓ Every gap holds.  Next:  ./lab", "good"
    else:
        yield from _task(context, sight)
    yield "", ""
    yield f"Last look, {looked}", "strong"
    yield from ((line, "") for line in last)
    yield "", ""
    earned, tried, total = sight.points
    yield f"Points so far: {earned:g} of {tried} tried; {total - tried} of {total} are open.", ""
    yield "  ".join(f"{key} {word}" for key, word in KEYS.items()), "dim"


def _task(context: "Context", sight: "Sight") -> Iterator[tuple[str, str]]:
    assert sight.current is not None
    gap, place = sight.current.gap, sight.current.place
    yield f"Gap {gap.order} of {len(sight.known)}, {gap.name}: {gap.title}", "strong"
    yield f"  work/{context.workspace.path.name}/{place.file}:{place.line}", ""
    yield f"  about {gap.minutes} min; here for {sight.minutes} min", "dim"
    yield "Must hold", ""
    for text in gap.holds:
        yield from (
            (line, "")
            for line in textwrap.wrap(text, _WIDTH - 4, initial_indent="  - ", subsequent_indent="    ")
        )


def _from_first_failure(said: str) -> list[str]:
    """From the first ✗ on: what fails, and what to do."""
    lines = said.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("✗")), max(0, len(lines) - 8))
    kept = [line for line in lines[start:] if not line.startswith("By hand")]
    arrow = next((n for n, line in enumerate(kept) if line.startswith("→")), len(kept))
    head = kept[: min(arrow, 8)]
    return [*head, *kept[arrow:][:4]]


# ---- The terminal ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _keys() -> Iterator[None]:
    """Keys come one by one, unseen, while the body runs; Ctrl-C stays what it is."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin.fileno())
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _plain_terminal() -> Iterator[None]:
    """Lines as usual, for another program."""
    before = termios.tcgetattr(sys.stdin)
    usual = termios.tcgetattr(sys.stdin)
    usual[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, usual)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def editor_command(
    path: str, line: int, environment: Mapping[str, str], which: Callable[[str], str | None]
) -> list[str]:
    """The person's editor, at this line of the file; [] where there is none."""
    wanted = environment.get("VISUAL") or environment.get("EDITOR") or ""
    program = shlex.split(wanted) or [next((name for name in ("nano", "vim", "vi") if which(name)), "")]
    if not program[0]:
        return []
    if os.path.basename(program[0]) in ("code", "codium", "subl"):
        return [*program, *(["--goto"] if "subl" not in program[0] else []), f"{path}:{line}"]
    return [*program, f"+{line}", path]
