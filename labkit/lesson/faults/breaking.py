"""The course of step 06 with its faults: chosen by the student's variant, found, shown, repaired.

What belongs here: which faults, how far each has come, and this record on disk. What does not: the faults
themselves (labkit.lesson.faults.faults), the error contract (labkit.lesson.measuring.contract).
"""

import dataclasses
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.base import state
from labkit.course.workspace import Workspace
from labkit.lesson.faults import faults
from labkit.lesson.faults.faults import Bench, Fault

HOW_MANY = 2


@dataclass(frozen=True)
class Hunt:
    """How far the hunt for one fault has come. `hop` and `evidence`: the last answer, and whether it was right.

    `differed`: what differed from the files before the fault; `lost`: what a repair has left otherwise than it was.
    """

    name: str
    made: bool = False
    memo: Mapping[str, Any] = field(default_factory=dict)
    hop: str = ""
    hop_right: bool = False
    evidence: str = ""
    evidence_right: bool = False
    repaired: bool = False
    undone: bool = False
    differed: Sequence[str] = ()
    lost: Sequence[str] = ()

    @property
    def fault(self) -> Fault:
        """The fault that is hunted."""
        return faults.by_name(self.name)

    @property
    def active(self) -> bool:
        """Whether the system is broken by it now."""
        return self.made and not self.over

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.repaired or self.undone

    @property
    def found(self) -> bool:
        """Whether hop and evidence were right."""
        return self.hop_right and self.evidence_right


def choose(token: str, pool: Sequence[str], how_many: int = HOW_MANY) -> list[str]:
    """The faults of one student: the same token gives the same ones, network and program in turns."""

    def order(name: str) -> bytes:
        return hmac.new(token.encode(), f"fault\n{name}".encode(), hashlib.sha256).digest()

    mixed = sorted(pool, key=order)
    kinds = {kind: [n for n in mixed if faults.by_name(n).kind == kind] for kind in ("network", "program")}
    chosen: list[str] = []
    while len(chosen) < how_many and any(kinds.values()):
        for names in kinds.values():
            if names and len(chosen) < how_many:
                chosen.append(names.pop(0))
    return chosen


class Hunts:
    """The hunts of one workspace, kept in its .lab/break.json."""

    def __init__(self, workspace: Workspace, pool: Sequence[str], how_many: int = HOW_MANY) -> None:
        self._path = workspace.kept / "break.json"
        value = state.read_json(self._path)
        names = choose(workspace.variant.lab_token, pool, how_many)
        self.all = [Hunt(**hunt) for hunt in value["hunts"]] if value else [Hunt(name) for name in names]

    @property
    def current(self) -> Hunt | None:
        """The first that is not over; None when all are."""
        return next((hunt for hunt in self.all if not hunt.over), None)

    @property
    def active(self) -> Hunt | None:
        """The fault that breaks the system now."""
        return next((hunt for hunt in self.all if hunt.active), None)

    def begin_with(self, name: str) -> None:
        """Hunt this fault next, whether or not it is one of the chosen."""
        self.all = [Hunt(name), *(hunt for hunt in self.all if hunt.name != name)]
        self.save(self.all[0])

    def save(self, hunt: Hunt) -> Hunt:
        """Keep how far this hunt has come."""
        self.all = [hunt if one.name == hunt.name else one for one in self.all]
        state.write_json(self._path, {"hunts": [dataclasses.asdict(one) for one in self.all]})
        return hunt


def at_work(workspace: Workspace) -> bool:
    """Whether a fault of step 06 breaks the system now: then no screen names its hop, which is for the student to find."""
    return Hunts(workspace, ()).active is not None


def is_sought(workspace: Workspace) -> bool:
    """Whether a fault is at work whose hop and evidence are not found yet."""
    hunt = Hunts(workspace, ()).active
    return hunt is not None and not hunt.found


def make(bench: Bench, hunts: Hunts, hunt: Hunt, differs: Sequence[str] = ()) -> Hunt:
    """Break the system, in which so much differs from the files already."""
    made = dataclasses.replace(hunt, made=True, differed=list(differs))
    hunts.save(made)  # noted before: a kill in the middle is not forgotten
    return hunts.save(dataclasses.replace(made, memo=hunt.fault.make(bench)))


def undo(bench: Bench, hunts: Hunts, hunt: Hunt) -> Hunt:
    """Take the fault back: the hunt is over, without its repair."""
    hunt.fault.undo(bench, dict(hunt.memo))
    return hunts.save(dataclasses.replace(hunt, undone=True))


def answer(hunts: Hunts, hunt: Hunt, hop: str, evidence: str) -> Hunt:
    """Judge the student's diagnosis; an empty part leaves the answer of before."""
    fault = hunt.fault
    changed = dataclasses.replace(
        hunt,
        hop=hop or hunt.hop,
        hop_right=fault.hop == hop if hop else hunt.hop_right,
        evidence=evidence or hunt.evidence,
        evidence_right=fault.convinces(evidence, dict(hunt.memo)) if evidence else hunt.evidence_right,
    )
    return hunts.save(changed)


def repaired(hunts: Hunts, hunt: Hunt, differs: Sequence[str] = ()) -> Hunt:
    """The symptom is gone: that is a repair where nothing differs from the files that did not before the fault."""
    lost = [sentence for sentence in differs if sentence not in hunt.differed]
    return hunts.save(dataclasses.replace(hunt, repaired=not lost, lost=lost))
