"""The receipt of a pack and the page that closes the lab, from records alone."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import labkit
from labkit.base import state
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.lesson.context import Context
from labkit.lesson.handing_in import receipt
from labkit.lesson.model import Options, Places

ROOT = Path(labkit.__file__).parent.parent


def context_of(base: Path) -> Context:
    workspaces = Workspaces(base, load(ROOT))
    made = SimpleNamespace(
        manifest=load(ROOT), workspaces=workspaces, workspace=workspaces.generate("ada@uni.edu").workspace,
        options=Options(), places=SimpleNamespace(root=ROOT, state=Places(base, base).state),
    )  # fmt: skip
    return cast(Context, made)


def test_a_receipt_has_time_hash_files_and_what_the_self_check_said(tmp_path: Path) -> None:
    context, pack = context_of(tmp_path), tmp_path / "work" / "submission-ada-at-uni.edu.zip"
    pack.write_bytes(b"zip")
    facts = dict(receipt.write(context, pack, ["main.tf", "answers.md"]))
    assert facts["SHA-256"] == hashlib.sha256(b"zip").hexdigest()
    assert facts["In it"].startswith("2 files, 3 bytes")
    assert "0 of 0 points tried" in facts["Self-check"]
    text = (tmp_path / facts["Receipt"]).read_text()
    assert facts["SHA-256"] in text
    assert "  main.tf\n" in text


def test_the_closing_page_looks_back_at_what_was_done_and_at_nothing_else(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    assert [label for label, _ in receipt.closing(context) if label] == ["You built", "Hints", "Read next"]
    hunts = [{"name": "route-gone", "repaired": True}, {"name": "key-type", "undone": True}]
    state.write_json(context.workspace.path / ".lab" / "break.json", {"hunts": hunts})
    layer = {"count": 30, "median": 29.5, "p95": 33.3, "maximum": 179.6}
    path = context.workspace.path / "measurements" / "measurement.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"layers": {"client": layer}}))
    told = dict(receipt.closing(context))
    assert told["You repaired"].startswith("route-gone (")
    assert "key-type" not in told["You repaired"]
    assert told["You measured"] == "30 images, median 30 ms, p95 33 ms, slowest 180 ms"
