"""Imports go one way. The contracts of pyproject.toml say so and `make lint` asks them; here is what they can't see.

What belongs here: docs/architecture.md against what is imported, modules that are named by strings, who prints.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

import labkit

ROOT = Path(labkit.__file__).parent
#: modules that are started or imported by name, by who names them: what neither mypy nor the contracts follow
NAMED = {
    "cloud.client.rehearsal": {"cloud.rehearsal.stage"},
    "classroom.courier": {"classroom.porter"},
    "cli.main": {"dev"},
    "cloud.client.launching": {"cloud.server.server"},
    "cloud.functions.variables": {"cloud.functions.runtime.bootstrap"},
    "cloud.instances.spec": {"cloud.instances.system.init"},
    "cloud.server.cloud": {
        *("cloud.functions.runtime.preloaded", "cloud.instances.system.init"),  # in the warm parent of sandboxes
        *("cloud.cloudformation.engine", "cloud.door", "cloud.endpoints.access", "cloud.functions.service"),
        "cloud.instances.manager",
    },
    "cloud.server.looking": {"cloud.server.looking"},
    "cloud.server.preloaded": {
        *("cloud.server.cloud", "cloud.server.control", "cloud.server.fabrics", "cloud.server.probing"),
        *("cloud.server.reconciler", "cloud.server.server", "cloud.web.image_host", "cloud.door"),
        *("cloud.cloudformation.engine", "cloud.cloudformation.api", "cloud.cloudformation.resources.registry"),
        *("cloud.endpoints.access", "cloud.functions.service", "cloud.instances.image", "cloud.instances.manager"),
        *("cloud.moto_seam.facts", "cloud.moto_seam.install", "cloud.moto_seam.logs", "cloud.stores.dynamodb_api"),
        *("cloud.moto_seam.ec2.ec2_records", "cloud.moto_seam.ec2.network_records"),
        *("cloud.moto_seam.identity.identities", "cloud.moto_seam.identity.managed_policies"),
        *("cloud.moto_seam.identity.sts_keys", "cloud.moto_seam.functions.lambda_records"),
    },
    "cloud.server.server": {"cloud.server.server"},
    "grading.judging.session": {  # whose sentences checks speak
        *("grading.api", "grading.judging.blame", "grading.judging.clues", "grading.judging.failure"),
        *("grading.judging.labs", "grading.judging.session", "grading.judging.verdicts", "grading.systems.system"),
        *("grading.systems.deployments", "grading.systems.gaps", "grading.systems.mixtures", "grading.systems.sources"),
    },
    "grading.process.standing": {"grading.process.warm"},
    "grading.process.starting": {"grading.process.judge", "grading.process.warm"},
    "grading.process.warm": {
        *("grading.process.judge", "deploy.aws_evidence", "deploy.parity"),
        # what grader/support reads evidence with
        *("course.answers", "course.course", "lesson.compare.comparison", "lesson.faults.breaking"),
    },
    "lesson.engine": {"lesson.steps"},
    "sandbox.host": {"sandbox.warm"},
    "sandbox.portable.host": {"sandbox.portable.keeper"},
    "sandbox.portable.keeper": {"sandbox.portable.child"},
    "sandbox.warm": {"sandbox.kernel.router"},
}  # fmt: skip
#: names in the form of a module that are none
_NO_MODULES = {"trusted", "underscored_headers"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module by its name below labkit, but the programs that instances carry (cloud/instances/files)."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "files" not in parts:
            yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text())


def named(tree: ast.Module) -> set[str]:
    """Names below labkit in the texts of a module, docstrings aside."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(getattr(node.body[0], "value", None)) for node in ast.walk(tree) if isinstance(node, documented) if node.body
    }  # fmt: skip
    texts = (
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings
    )
    found = (re.findall(r"\blabkit\.(\w+(?:\.\w+)*)", text) for text in texts if isinstance(text, str))
    return {name for names in found for name in names} - _NO_MODULES


@pytest.mark.slow
def test_modules_that_are_named_by_strings_stand_in_the_list_and_exist() -> None:
    assert {name: found for name, tree in modules() if (found := named(tree))} == NAMED
    for name in sorted(set().union(*NAMED.values())):
        assert importlib.util.find_spec(f"labkit.{name}"), name


def test_the_table_of_the_documents_says_who_imports_whom() -> None:
    """docs/architecture.md: each package, and the packages that its modules import."""
    graph = grimp.build_graph("labkit", cache_dir=None)
    really: dict[str, set[str]] = {}
    for module in graph.modules:
        here = [*module.split("."), ""][1]
        others = (other.split(".") for other in graph.find_modules_directly_imported_by(module))
        really.setdefault(here, set()).update(
            other[1] for other in others if len(other) > 1 and other[1] != here
        )
    text = (ROOT.parent / "docs" / "architecture.md").read_text()
    rows = re.findall(r"(?m)^\| `labkit\.(\w+)` \|.*\| ([^|]*) \|$", text)
    told = {package: set(re.findall(r"`(\w+)`", imports)) for package, imports in rows}
    assert told == {
        package: others for package, others in really.items() if package and package != "__main__"
    }


#: the command line's two, and what runs as a part of an author's function and prints into its log
PRINTING = ("cli.console", "cli.main", "cloud.cloudformation.cfnresponse")


@pytest.mark.slow
def test_only_the_command_line_prints() -> None:
    for name, tree in modules():
        calls = (n.func for n in ast.walk(tree) if isinstance(n, ast.Call))
        if name not in PRINTING:
            assert "print" not in {f.id for f in calls if isinstance(f, ast.Name)}, f"labkit.{name} prints"
