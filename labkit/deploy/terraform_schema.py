"""What Terraform's provider takes: its resource types with their arguments, asked of the program once and kept.

What belongs here: asking, keeping, finding one type. What does not: showing it (labkit.lesson.help.arguments).
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import EngineError
from labkit.base.events import Emit, Event
from labkit.deploy.terraform_command import Setup

_SETTINGS = re.compile(r"(?ms)^terraform \{.*?^\}\n")
_FOLDER, _TYPES = "schema", "types.jsonl"


def block_of(setup: Setup, main: Path, name: str, emit: Emit) -> Mapping[str, Any] | None:
    """The arguments and blocks of the resource type `name`; None where the provider that `main` asks for has none such."""
    for found, text in _lines(setup, main, emit):
        if found == name:
            block: Mapping[str, Any] = json.loads(text)
            return block
    return None


def names(setup: Setup, main: Path, emit: Emit) -> list[str]:
    """All resource types of the provider."""
    return [name for name, _ in _lines(setup, main, emit)]


def _lines(setup: Setup, main: Path, emit: Emit) -> Iterator[tuple[str, str]]:
    """Each type's name, and its block as JSON: one type a line, so that one can be read without all others."""
    settings = "".join(_SETTINGS.findall(main.read_text(encoding="utf-8")))
    folder = setup.folder / _FOLDER
    asked, kept = folder / "main.tf", folder / _TYPES
    if not kept.is_file() or asked.read_text(encoding="utf-8") != settings:
        emit(Event("note", "Terraform's provider is asked what it takes, once; this takes a while …"))
        kept.unlink(missing_ok=True)
        state.write_text(asked, settings)
        state.write_text(kept, _asked(setup, folder))
    with kept.open(encoding="utf-8") as lines:
        yield from ((name, text) for name, _, text in (line.partition(" ") for line in lines))


def _asked(setup: Setup, folder: Path) -> str:
    setup.check()
    program, environment = setup.program(), setup.offline()
    for words in (("init", "-input=false", "-no-color"), ("providers", "schema", "-json")):
        done = setup.programs.run([program, *words], folder, environment)
        if done.status:
            last = (done.errors or done.output).strip().splitlines()[-1:] or ["nothing"]
            raise EngineError(
                f"Terraform's provider did not say what it takes. It said: {last[0]}",
                hint="See whether Terraform works here:  ./lab plan --engine terraform",
            )
    providers = json.loads(done.output)["provider_schemas"].values()
    types = {name: each["block"] for one in providers for name, each in one["resource_schemas"].items()}
    return "".join(f"{name} {json.dumps(types[name])}\n" for name in sorted(types))
