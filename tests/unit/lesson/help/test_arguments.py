"""Arguments of Terraform's resource types, from what the provider says."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import labkit
from labkit.base.errors import EngineError, UsageError
from labkit.base.processes import Completed
from labkit.course.manifest import load
from labkit.deploy.terraform_command import OnThisMachine, Setup
from labkit.lesson.context import Context
from labkit.lesson.help import arguments

ROOT = Path(labkit.__file__).parent.parent
RULE = {
    "attributes": {
        "id": {"type": "string", "computed": True},
        "from_port": {"type": "number", "required": True},
        "tags": {"type": ["map", "string"], "optional": True},
        "cidrs": {"type": ["list", "string"], "optional": True, "computed": True},
    },
    "block_types": {"timeouts": {"max_items": 1, "block": {"attributes": {"create": {"type": "string", "optional": True}}}}},
}  # fmt: skip
SAID = json.dumps({"provider_schemas": {"x": {"resource_schemas": {"aws_rule": {"block": RULE}}}}})


class Provider(OnThisMachine):
    """Answers as Terraform does, and counts how often it is asked."""

    def __init__(self, status: int = 0) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.status = status

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Completed:
        self.asked.append(tuple(command[1:3]))
        assert 'version = "' in (folder / "main.tf").read_text()
        return Completed(self.status, SAID, "Error: no provider\n" if self.status else "")


def context(folder: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(Setup, "check", lambda self: None)
    setup = Setup(folder, which=lambda name: f"/bin/{name}", programs=provider)
    made = SimpleNamespace(
        manifest=load(ROOT), places=SimpleNamespace(root=ROOT), terraform=setup, emit=lambda event: None
    )
    return cast(Context, made)


def shown(context: Context, word: str) -> str:
    return "\n".join(text for text, _ in arguments.card(context, word))


def test_a_type_its_blocks_and_what_it_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    lab = context(tmp_path, provider, monkeypatch)
    assert shown(lab, "aws_rule").splitlines() == [
        "aws_rule",
        "  ! from_port  number",
        "    cidrs      list of: text",
        "    tags       names of your own, each: text",
        "    timeouts   one block { create }",
        "  ! must be there",
        "  It gives: id",
        "  What is inside one:  ./lab what aws_rule.timeouts",
    ]
    assert "create  text" in shown(lab, "aws_rule.timeouts")
    assert len(provider.asked) == 2, "the provider is asked once, and what it said is kept"


@pytest.mark.parametrize(("word", "near"), [("aws_rul", "aws_rule"), ("aws_rule.timeout", "timeouts")])
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, near: str
) -> None:
    with pytest.raises(UsageError) as refused:
        arguments.card(context(tmp_path, Provider(), monkeypatch), word)
    assert near in str(refused.value.hint)


def test_a_provider_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="no provider"):
        arguments.card(context(tmp_path, Provider(status=1), monkeypatch), "aws_rule")
