"""The commands around a course's files: update, handout, unlock, course; and a step that follows what is saved.

What belongs here: the command line of these, and watching a step's files. What does not: work.
"""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.base.events import Event
from labkit.base.text import wrapped
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.lesson.context import Context

Add = Callable[..., argparse.ArgumentParser]


def register(add: Add) -> None:
    """Add the commands of this module to the command line."""
    add("update", "carry your gaps into the newest templates", _update)
    handout = add("handout", "the hand-out for students (instructors)", _handout, looks=False)
    handout.add_argument("--to", default="dist/hybrid-lab.zip", metavar="FILE")
    unlock = add("unlock", "a code that lets one student skip one gap (instructors)", _unlock, looks=False)
    unlock.add_argument("gap")
    unlock.add_argument("--student", required=True, help="whose gap it is")
    course = add("course", "course.toml: check it", _course, looks=False)
    course.add_argument("action", choices=["check"])
    course.add_argument(
        "--results", metavar="FOLDER", help="say which marks of an earlier grading would move"
    )


def _update(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import updating

    changed = updating.update(context.workspaces, context.workspace)
    for name, backup in changed.items():
        console.line(f"✓ {name} has the newest text round your gaps; the old file is {backup}.", style="good")
    if not changed:
        console.line("✓ Your files have the newest text already.", style="good")
    console.result({"changed": changed})
    return 0


def _handout(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import course
    from labkit.lesson.handing_in import handout
    from labkit.lesson.handing_in.demo import run_demo

    events: list[Event] = []
    console.line("The whole lab runs once, for the recorded demo …")
    if not run_demo(context.places, context.manifest, events.append):
        raise UsageError("The demo did not go through.", hint="See why:  ./lab demo")
    files = handout.content(context.manifest, course.load(context.manifest), events)
    handout.write(Path(arguments.to), files)
    console.line(f"✓ {arguments.to}: {len(files)} files, no solution words in any of them.", style="good")
    console.result({"file": arguments.to, "files": sorted(files)})
    return 0


def _unlock(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import gaps
    from labkit.lesson import skipping

    gap = gaps.find(context.manifest, arguments.gap)
    code = skipping.code_for(context, gap, arguments.student)
    console.line(
        f"For {arguments.student} alone, the gap {gap.name}. They type, in one line:", style="strong"
    )
    console.line(f"./lab skip {gap.name} --code {code}")
    console.result({"student": arguments.student, "gap": gap.name, "code": code})
    return 0


def _course(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course import course, course_words

    chosen = course.load(context.manifest)
    sentences = course_words.explain(context.manifest, chosen)
    marks: dict[str, float | None] = {}
    if arguments.results:
        from labkit.classroom import counting

        results = Path(arguments.results)
        sentences.append(counting.moved(context.manifest, chosen, results))
        marks = {
            name: mark.final for name, mark in counting.given(context.manifest, chosen, results)[0].items()
        }
    for sentence in sentences:
        for line in wrapped(sentence):
            console.line(line)
    console.result({"sentences": sentences, "marks": marks})
    return 0


def watch(make: Callable[[], "Context"], console: Console, number: str) -> int:
    """Run the step, then again, after deploying, whenever one of the student's files is saved."""
    from labkit.lesson.watching import saves

    console.line("Watching your files. Save one to check again; end with Ctrl-C.", style="strong")
    with contextlib.suppress(KeyboardInterrupt):
        for names in saves(make().workspace):
            if names:
                console.line(f"Saved: {', '.join(names)}", style="strong")
            _once(make(), console, number, deploy=bool(names))
    console.line("Watching has ended. Next:  ./lab", style="strong")
    return 0


def _once(context: "Context", console: Console, number: str, *, deploy: bool) -> None:
    from labkit.base.errors import LabError
    from labkit.lesson import progress
    from labkit.lesson.engine import find_step, module_of, run_step

    try:
        looks = module_of(find_step(context, number).name).JUDGES == "deployed"
        if deploy and looks and not run_step(context, "deploy").passed:
            return
        result = run_step(context, number)
    except LabError as error:
        console.error(error)
        return
    failed = next((check for check in result.checks if not check.passed), None)
    if failed:
        console.hint(failed.hint)
        return
    console.line("✓ Every check holds.", style="good")
    for step in progress.following(context, find_step(context, number)):
        console.line(f"{'Optional' if step.optional else 'Next'}:  ./lab {step.name}", style="strong")
