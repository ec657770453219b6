"""What students get is valid in its own language, starter and solution, both engines, and tells no answers."""

import ast
import itertools
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.base.processes import Completed, run
from labkit.course.build import BOOT, BOOT_TEMPLATE, TEMPLATE, settings, user_data
from labkit.course.manifest import Manifest, load
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy.model import OUTPUTS

ROOT = Path(labkit.__file__).resolve().parent.parent
STUDENTS = ("ada@uni.edu", "bob", "c.3+x_y-z@a-b.example")
BIN = Path(sys.executable).parent
MIRROR = 'provider_installation {{\n  filesystem_mirror {{\n    path = "{}"\n  }}\n}}\n'


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load(ROOT)


@pytest.fixture(scope="module")
def everybody(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> dict[tuple[str, bool], Workspace]:
    """A workspace, built, for each student as starter (False) and solution (True)."""
    workspaces = Workspaces(tmp_path_factory.mktemp("lab"), manifest)
    made = {}
    for student, solution in itertools.product(STUDENTS, (False, True)):
        made[student, solution] = workspaces.generate(student, solution=solution).workspace
        made[student, solution].write_build()
    return made


@pytest.fixture(
    params=[
        pytest.param(each, marks=[pytest.mark.verify] if each[0] != STUDENTS[0] else [])
        for each in itertools.product(STUDENTS, (False, True))
    ],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def workspace(request: pytest.FixtureRequest, everybody: dict[tuple[str, bool], Workspace]) -> Workspace:
    return everybody[request.param]


def clean(result: Completed) -> None:
    assert (result.status, result.output.strip(), result.errors.strip()) == (0, "", "")


# ---- Valid in its own language --------------------------------------------------------------------


def test_the_boot_script_is_bash(workspace: Workspace) -> None:
    clean(run(["bash", "-n", str(workspace.path / BOOT)]))
    clean(run(["bash", "-n", str(workspace.path / "build" / BOOT)]))


@pytest.mark.parametrize("name", ["flask_app.py", "lambda_function.py"])
def test_the_python_files_compile_and_are_tidy(workspace: Workspace, name: str, tmp_path: Path) -> None:
    py_compile.compile(str(workspace.path / name), cfile=str(tmp_path / "out.pyc"), doraise=True)
    ruff = [str(BIN / "ruff"), "--isolated", "--no-cache"]
    checked = run([ruff[0], "check", *ruff[1:], "--quiet", str(workspace.path / name)])
    clean(checked)


@pytest.mark.parametrize("name", ["flask_app.py", "lambda_function.py"])
def test_the_python_files_run_on_the_servers_python(workspace: Workspace, name: str) -> None:
    ast.parse((workspace.path / name).read_text(), feature_version=(3, 11))


def test_the_template_has_no_complaint_from_cfn_lint(workspace: Workspace) -> None:
    clean(
        run([str(BIN / "cfn-lint"), "--include-checks", "W", "--", str(workspace.path / "build" / TEMPLATE)])
    )


@pytest.fixture(scope="module")
def terraform(
    tmp_path_factory: pytest.TempPathFactory, everybody: dict[tuple[str, bool], Workspace]
) -> Callable[..., Completed]:
    """Runs Terraform in a workspace. The provider comes from the mirror in LAB_TF_MIRROR, or the registry, once."""
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed here")
    folder = tmp_path_factory.mktemp("terraform")
    mirror = os.environ.get("LAB_TF_MIRROR")
    (folder / "config.tfrc").write_text(MIRROR.format(mirror) if mirror else "")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("TF_", "AWS_"))} | {
        "TF_CLI_CONFIG_FILE": str(folder / "config.tfrc"),
        "TF_DATA_DIR": str(folder / "data"),
        "CHECKPOINT_DISABLE": "1",
    }

    def terraform_in(path: Path, *arguments: str) -> Completed:
        return run(["terraform", *arguments], cwd=path, env=environment)

    first, *others = (workspace.path for workspace in everybody.values())
    started = terraform_in(first, "init", "-input=false", "-no-color")
    assert started.status == 0, started
    for other in others:
        shutil.copy(first / ".terraform.lock.hcl", other)
    return terraform_in


@pytest.mark.terraform
@pytest.mark.slow
def test_the_configuration_is_formatted_and_valid(
    workspace: Workspace, terraform: Callable[..., Completed]
) -> None:
    clean(terraform(workspace.path, "fmt", "-check", "-diff"))
    checked = terraform(workspace.path, "validate", "-no-color")
    assert (checked.status, checked.output.strip()) == (0, "Success! The configuration is valid."), checked


# ---- Both engines say the same ---------------------------------------------------------------------


class _Tagged(dict[str, Any]):
    """A CloudFormation function in short form: {"!Ref": …}."""


def parsed(workspace: Workspace) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def any_tag(loader: Any, suffix: str, node: Any) -> _Tagged:
        kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
        build = kinds.get(type(node), loader.construct_mapping)
        return _Tagged(
            {f"!{suffix}": build(node) if build is kinds[yaml.ScalarNode] else build(node, deep=True)}
        )

    Loader.add_multi_constructor("!", any_tag)
    loaded: dict[str, Any] = yaml.load((workspace.path / "build" / TEMPLATE).read_text(), Loader)
    return loaded


def test_both_engines_boot_the_same_bytes(workspace: Workspace) -> None:
    values = settings(workspace.variant, bucket="b-1", table="t-1", region="eu-west-1")
    wanted = user_data((workspace.path / "build" / BOOT).read_text(), values)
    sub, names = parsed(workspace)["Resources"]["Server"]["Properties"]["UserData"]["Fn::Base64"]["!Sub"]
    assert set(names) == set(values)
    filled = re.sub(r"\$\{(!?)(\w*)", lambda m: "${" + m[2] if m[1] else f"\0{m[2]}", sub)
    assert re.sub(r"\0(\w+)\}", lambda m: values[m[1]], filled) == wanted
    terraform = (workspace.path / "build" / BOOT_TEMPLATE).read_text()
    main = (workspace.path / "main.tf").read_text()
    for name, value in values.items():
        assert re.search(rf"^    {name.lower()} +=", main, re.MULTILINE), name
        terraform = re.sub(rf"(?<!\$)\$\{{{name.lower()}\}}", value, terraform)
    assert terraform.replace("$${", "${").replace("%%{", "%{") == wanted


def test_both_engines_have_the_outputs_that_the_steps_read(workspace: Workspace) -> None:
    declared = re.findall(r'^output "(\w+)"', (workspace.path / "outputs.tf").read_text(), re.MULTILINE)
    assert tuple(declared) == tuple(parsed(workspace)["Outputs"]) == OUTPUTS


def test_both_engines_have_the_same_choices(workspace: Workspace) -> None:
    text = (workspace.path / "variables.tf").read_text()
    pairs = re.findall(
        r'^variable "(\w+)" \{.*?^  default\s+= "?([^"\n]*)"?$', text, re.MULTILINE | re.DOTALL
    )
    terraform = {name.replace("_", ""): value for name, value in pairs if name != "region"}
    only_tags = {"variant", "timetolive"}
    cloudformation = {
        name.lower().replace("imageid", "imageparameter"): str(parameter["Default"])
        for name, parameter in parsed(workspace)["Parameters"].items()
    }
    assert terraform == {name: value for name, value in cloudformation.items() if name not in only_tags}


def test_everything_that_can_carry_tags_carries_them(workspace: Workspace) -> None:
    untagged = {
        "AWS::EC2::VPCGatewayAttachment", "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::IAM::InstanceProfile", "AWS::S3::BucketPolicy",
    }  # fmt: skip
    for name, resource in parsed(workspace)["Resources"].items():
        if resource["Type"] not in untagged:
            keys = {tag["Key"] for tag in resource["Properties"]["Tags"]}
            assert set(workspace.variant.tags()) <= keys, name
    main = (workspace.path / "main.tf").read_text()
    assert all(f'"{key}"' in main for key in workspace.variant.tags())


def test_another_boot_script_gives_another_server(workspace: Workspace) -> None:
    """CloudFormation, AWS::EC2::Instance: UserData changes in place, NetworkInterfaces needs replacement."""
    from labkit.course.build import build

    def description(files: dict[str, bytes]) -> str:
        text = build(files, workspace.variant).files[TEMPLATE].decode()
        found = re.search(r"Description: !Sub \"(boot script [0-9a-f]{12}) ", text)
        assert found is not None
        return found[1]

    files = workspace.files()
    changed = files | {"flask_app.py": files["flask_app.py"] + b"# another\n"}
    assert description(files) != description(changed)
    assert "user_data_replace_on_change = true" in files["main.tf"].decode()


# ---- Gaps -------------------------------------------------------------------------------------------

MARKER = re.compile(r"^[ \t]*# (>>>|<<<) gap ([a-z-]+)$", re.MULTILINE)


def regions(text: str) -> dict[str, str]:
    """What stands between the markers of each gap."""
    markers, found = list(MARKER.finditer(text)), {}
    for opening, closing in zip(markers[::2], markers[1::2], strict=True):
        assert (opening[1], closing[1]) == (">>>", "<<<")
        assert opening[2] == closing[2]
        found[opening[2]] = text[opening.end() + 1 : closing.start()]
    return found


def outside(text: str) -> str:
    """The text without what stands between markers."""
    for body in regions(text).values():
        text = text.replace(body, "", 1) if body else text
    return text


def test_every_gap_stands_where_the_manifest_says(workspace: Workspace, manifest: Manifest) -> None:
    found = {(name, gap) for name, data in workspace.files().items() for gap in regions(data.decode())}
    assert found == {(name, gap.name) for gap in manifest.gaps for name in gap.files.values()}


def test_starter_and_solution_differ_in_the_gaps_alone(everybody: dict[tuple[str, bool], Workspace]) -> None:
    starter, solution = (everybody[STUDENTS[0], kind].files() for kind in (False, True))
    for name, data in starter.items():
        mine, theirs = data.decode(), solution[name].decode()
        assert outside(mine) == outside(theirs), name
        for gap, body in regions(mine).items():
            assert body != regions(theirs)[gap], (name, gap)
            assert "Must hold:" in body, (name, gap)


def test_a_blank_line_stands_round_each_gap(workspace: Workspace) -> None:
    for name, data in workspace.files().items():
        lines = data.decode().splitlines()
        for number, line in enumerate(lines):
            if "# >>> gap" in line:
                assert lines[number - 1] == "", (name, number)
            if "# <<< gap" in line:
                assert [*lines, ""][number + 1] == "", (name, number)


def telling(line: str) -> bool:
    """Whether a line says something: more than three names in it, and no comment."""
    return not line.startswith("#") and len(re.findall(r"[A-Za-z_]\w+", line)) > 3


def test_the_starter_does_not_give_the_answer_away(everybody: dict[tuple[str, bool], Workspace]) -> None:
    """No telling line that the solution puts into a gap stands anywhere else in the starter."""
    starter, solution = (everybody[STUDENTS[0], kind].files() for kind in (False, True))
    given = {line.strip() for data in starter.values() for line in data.decode().splitlines()}
    for name, data in solution.items():
        for gap, body in regions(data.decode()).items():
            mine = {line.strip() for line in regions(starter[name].decode())[gap].splitlines()}
            own = {line.strip() for line in body.splitlines()} - mine
            assert not {line for line in own & given if telling(line)}, (name, gap)


def test_nothing_of_the_template_language_is_left(workspace: Workspace) -> None:
    for name, data in workspace.files().items():
        assert not re.search(rb"#> |\{@|@\}", data), name


# ---- Own values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("solution", [False, True])
def test_students_differ_in_everything_that_is_their_own(
    everybody: dict[tuple[str, bool], Workspace], solution: bool
) -> None:
    for one, other in itertools.permutations(STUDENTS, 2):
        mine, theirs = everybody[one, solution], everybody[other, solution]
        values = mine.variant.values()
        text = b"".join(theirs.files().values()).decode()
        own = "".join(data.decode() for data in mine.files().values())
        for name in ("project", "code", "vpc_cidr", "subnet_cidr", "port", "prefix", "lab_token"):
            assert re.search(rf"\b{re.escape(values[name])}\b", own), name
            assert not re.search(rf"\b{re.escape(values[name])}\b", text), name


def test_another_region_needs_no_change(workspace: Workspace) -> None:
    """The region stands in the files once, as the default of the variable that chooses it."""
    found = [
        (name, line.strip())
        for name, data in workspace.files().items()
        for line in data.decode().splitlines()
        if re.search(r"\b[a-z]{2}-(south|east|west|north|central)(east|west)?-\d\b", line)
    ]
    assert found == [("variables.tf", 'default     = "ap-south-1"')]


@pytest.fixture
def shell_of_the_unit(everybody: dict[tuple[str, bool], Workspace], tmp_path: Path) -> dict[bool, str]:
    """The unit that each boot script writes: the part between its markers, run by bash with a fake systemctl."""
    units = {}
    for solution in (False, True):
        script = everybody[STUDENTS[0], solution].files()[BOOT].decode()
        body = regions(script)["unit"].replace("/etc/systemd/system", str(tmp_path))
        exports = "\n".join(re.findall(r"^export .*$", script, re.MULTILINE))
        fake = f'systemctl() {{ echo "$*" >> "{tmp_path}/calls"; }}\n'
        subprocess.run(["bash", "-euc", f"{fake}{exports}\n{body}"], check=True)
        units[solution] = (tmp_path / "flask-app.service").read_text() + (tmp_path / "calls").read_text()
        (tmp_path / "calls").unlink()
    return units


def test_the_unit_of_the_solution_sees_its_settings_and_survives(shell_of_the_unit: dict[bool, str]) -> None:
    starter, solution = shell_of_the_unit[False], shell_of_the_unit[True]
    for name in ("AWS_REGION", "S3_BUCKET", "DYNAMODB_TABLE", "OBJECT_PREFIX", "LAB_TOKEN", "PORT"):
        assert f"\nEnvironment={name}=@{name}@\n" in solution
    assert "Environment" not in starter
    assert "Restart=always" in solution
    assert "Restart" not in starter
    assert "enable --now flask-app" in solution
    assert "enable" not in starter
    assert "--listen=0.0.0.0:@PORT@ " in starter
    assert "--listen=0.0.0.0:@PORT@ " in solution
