"""The texts of one judging: what was handed in, the reference solution for the same student, and mixtures of both.

What belongs here: which texts there are. What does not: gaps and their markers (gaps), deploying them (mixtures).
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.course.manifest import Manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import Variant, make_variant
from labkit.grading.intake import refusal
from labkit.grading.judging.failure import Failed
from labkit.grading.process.task import Task
from labkit.grading.systems import gaps


@dataclass(frozen=True)
class Sources:
    """What `task` has handed in, beside what `manifest` says of the lab."""

    task: Task
    manifest: Manifest

    @functools.cached_property
    def variant(self) -> Variant:
        """The student's own values."""
        return make_variant(self.manifest.salt, self.task.student)

    @functools.cached_property
    def files(self) -> Mapping[str, bytes]:
        """What was handed in, by name: every file at the top of the folder and in answers/."""
        folder = Path(self.task.files)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    @functools.cached_property
    def submitted(self) -> Mapping[str, str]:
        """The same as text; what is no UTF-8 is shown with replacement characters."""
        return {name: data.decode("utf-8", "replace") for name, data in self.files.items()}

    @functools.cached_property
    def reference(self) -> Mapping[str, str] | None:
        """The reference solution for this student, None where it is not here (a hand-out)."""
        renderer = Renderer(self.manifest.root, self.manifest.files)
        return renderer.render(self.variant.values(), solution=True) if renderer.has_solution else None

    def mixed(self, units: Sequence[str], student: Mapping[str, str] | None = None) -> dict[str, str]:
        """The reference with these units of the submission in it, or of `student`'s texts in its place.

        Raises NoSuchText for a unit that can't be used alone, Failed for a mixture that holds what is refused.
        """
        assert self.reference is not None
        other = ".tf" if self.task.engine == "cloudformation" else ".yaml"
        not_needed = {name: text for name, text in self.reference.items() if name.endswith(other)}
        resources = {gap.name: gap.resources for gap in self.manifest.gaps}
        texts = gaps.mixed({**not_needed, **(student or self.submitted)}, self.reference, units, resources)
        # what a comment hid in the whole is bare in the reference
        refused = refusal.harmful(texts) or refusal.shows_more(texts, self.reference)
        if refused:
            raise Failed(str(refused[0]), hint="remove it: this lab needs nothing of the kind")
        return texts
