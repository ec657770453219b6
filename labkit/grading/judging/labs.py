"""The `Lab` of one attempt: what a check sees, the other deployments it may ask for, and what is put back after it.

What belongs here: from a system to what a check is given. What does not: what a check says (session), how systems come
to be (deployments).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labkit.base.errors import CloudError
from labkit.course.rubric import Line, given_of
from labkit.deploy.engines import NAMES as ENGINES
from labkit.grading.api import Deployed, Lab
from labkit.grading.judging.failure import Failed
from labkit.grading.model import Verdict
from labkit.grading.systems import gaps
from labkit.grading.systems.deployments import Deployments
from labkit.grading.systems.system import System

#: the file whose given text makes rows and answers
_APPLICATION = "flask_app.py"
#: a service that was started again answers within this
_REVIVED_SECONDS = 4.0


@dataclass
class Labs:
    """Makes them. `beside_reference`: lines whose check has looked at the reference system too.

    `only_elsewhere`: how the whole fails in another region, where it holds in its own.
    """

    deployments: Deployments
    only_elsewhere: Verdict | None = None
    beside_reference: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def open(self, line: Line, system: System) -> Iterator[Lab]:
        """The Lab of one attempt; what the check changed is put back, whatever happened."""
        with contextlib.ExitStack() as undo:
            lab: Lab

            def another(kind: Deployed) -> Lab:
                found = self._another(kind, lab, undo)
                return lab if found is lab.system else replace(lab, system=found)

            random = self.deployments.sources.task.random_of(line.id)
            lab = Lab(line.id, random, system, another)
            if line.disturbs:
                undo.callback(self._restore, lab, system.active_units(), lab.is_healthy())
            undo.callback(lab.clean_up)
            yield lab

    def _another(self, kind: Deployed, lab: Lab, undo: contextlib.ExitStack) -> System:
        """The system that the check asks for: this lab's own, where that is one of this kind. Raises Failed."""
        match kind:
            case "other region":
                return self._elsewhere(lab, undo)
            case "disposable":
                return self.deployments.disposable(lab.system, undo)
            case "other engine":
                engine = next(name for name in ENGINES if name != lab.engine)
                return self.deployments.copy(lab.system, lab.region, undo, engine)
            case "given":
                return self._given(lab)

    def _elsewhere(self, lab: Lab, undo: contextlib.ExitStack) -> System:
        task = self.deployments.sources.task
        if why := self.only_elsewhere:
            raise Failed(
                f"it works in {task.region}, and not in {task.abroad}: {why.reason}",
                hint="where is a region typed into a file? Take it from AWS_REGION",
                expected=why.expected,
                found=why.found,
                evidence=why.evidence,
            )
        if lab.region != task.region:
            return lab.system
        return self.deployments.copy(lab.system, task.abroad, undo)

    def _given(self, lab: Lab) -> System:
        """The reference system with the application's given text of the student."""
        if self.deployments.sources.reference is None:
            return lab.system
        self.beside_reference.add(lab.line)
        try:
            return self.deployments.mixture([given_of(_APPLICATION)])
        except gaps.NoSuchText as error:
            raise Failed(str(error), hint=error.hint) from error

    def _restore(self, lab: Lab, units: frozenset[str], healthy: bool) -> None:
        """Leave the system as healthy as it was: its units started again, or ended where that is ours to do.

        So what a check that disturbs leaves behind reaches no other line.
        """
        with contextlib.suppress(CloudError):
            lab.system.revive(units)
            if not healthy or lab.server.wait_healthy(_REVIVED_SECONDS):
                return
        self.deployments.end(lab.system)
