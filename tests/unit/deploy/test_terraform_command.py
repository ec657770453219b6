"""How Terraform is called: the exact arguments, the configuration, the environment, what is refused before."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from labkit.base.errors import DeployError
from labkit.base.processes import Completed
from labkit.deploy.targets import Target
from labkit.deploy.terraform_command import (
    Commands,
    OnThisMachine,
    Setup,
    available_memory,
    configuration,
    version_of,
)

LOCAL = Target("local", "eu-west-1", "http://127.0.0.1:4566")
COMMON = ["-json", "-input=false", "-no-color", "-lock-timeout=600s"]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(
        "/bin/terraform", tmp_path / "kit", tmp_path, {"region": "eu-west-1", "lab_role": "LabRole"}
    )


def test_the_quiet_commands(commands: Commands) -> None:
    assert commands.init() == ["/bin/terraform", "init", "-json", "-input=false", "-no-color"]
    assert commands.validate() == ["/bin/terraform", "validate", "-json", "-no-color"]
    assert commands.output() == ["/bin/terraform", "output", "-json", "-no-color"]
    assert commands.show("p") == ["/bin/terraform", "show", "-json", "-no-color", "p"]


def test_the_streaming_commands(commands: Commands) -> None:
    with commands.plan("p") as plan, commands.apply() as apply, commands.destroy() as destroy:
        assert plan[:-1] == ["/bin/terraform", "plan", *COMMON, "-out=p"]
        assert apply[:-1] == ["/bin/terraform", "apply", *COMMON, "-auto-approve"]
        assert destroy[:-1] == ["/bin/terraform", "destroy", *COMMON, "-auto-approve"]
    with commands.test(Path("build/x")) as test:
        assert test[:-1] == [
            "/bin/terraform", "test", "-json", "-no-color", "-verbose", "-test-directory=build/x",
        ]  # fmt: skip
        assert test[-1].startswith("-var-file=")


def test_values_come_in_a_file_beside_the_others_that_exists_during_the_run(commands: Commands) -> None:
    with commands.apply() as command:
        option, _, path = command[-1].partition("=")
        assert option == "-var-file"
        values = commands.files / path
        assert json.loads(values.read_text()) == {"region": "eu-west-1", "lab_role": "LabRole"}
    assert not values.exists()


def test_the_arguments_need_no_shell(tmp_path: Path) -> None:
    odd = Commands("/opt/my tools/terraform", tmp_path, tmp_path, {"lab_role": "a b; echo $HOME"})
    with odd.apply() as command:
        assert command[0] == "/opt/my tools/terraform"
        assert all(shlex.quote(part) == part for part in command[1:])


# ---- The configuration ----------------------------------------------------------------------------


def test_without_a_mirror_there_is_a_cache_and_the_registry() -> None:
    """Only the registry: a submission's terraform.d/plugins are no place to take programs from."""
    text = configuration(Path("/c"), "")
    assert text == 'plugin_cache_dir = "/c"\nprovider_installation {\n  direct {\n  }\n}\n'


def test_a_mirror_is_the_only_source() -> None:
    text = configuration(Path("/c"), '/m "1"')
    assert 'path = "/m \\"1\\""' in text
    assert "direct" not in text


def test_nothing_of_the_surroundings_reaches_terraform(tmp_path: Path) -> None:
    around = {
        "PATH": "/bin", "TF_CLI_CONFIG_FILE": "/nonexistent", "TF_DATA_DIR": "/elsewhere", "TF_VAR_region": "x",
        "AWS_PROFILE": "work", "AWS_CA_BUNDLE": "/nonexistent",
    }  # fmt: skip
    variables = Setup(tmp_path, around).variables(LOCAL)
    assert variables["AWS_ENDPOINT_URL"] == LOCAL.endpoint_url
    assert Path(variables["TF_CLI_CONFIG_FILE"]).is_file()
    assert variables["PATH"] == "/bin"
    assert not {"TF_DATA_DIR", "TF_VAR_region", "AWS_PROFILE", "AWS_CA_BUNDLE"} & set(variables)


def test_on_aws_the_persons_own_profile_counts(tmp_path: Path) -> None:
    variables = Setup(tmp_path, {"AWS_PROFILE": "work"}).variables(Target("aws", "eu-west-1"))
    assert variables["AWS_PROFILE"] == "work"
    assert "AWS_ENDPOINT_URL" not in variables


# ---- What is refused before anything starts -----------------------------------------------------------


def program(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'version -json' ] && echo '{version}'\n")
    path.chmod(0o755)
    return path


def setup_with(folder: Path, *names: str, version: str = "1.11.4", memory: int | None = 4 << 30,
               **variables: str) -> Setup:  # fmt: skip
    answer = json.dumps({"terraform_version": version})
    there = {name: str(program(folder, name, answer)) for name in names}
    environment = {"PATH": os.environ["PATH"], **variables}
    return Setup(folder / "kit", environment, there.get, lambda: memory)


@pytest.mark.processes
def test_a_fitting_machine_is_not_refused(tmp_path: Path) -> None:
    setup_with(tmp_path, "terraform").check()


def test_opentofu_is_taken_where_it_is_what_there_is(tmp_path: Path) -> None:
    assert setup_with(tmp_path, "tofu").program().endswith("/tofu")
    assert setup_with(tmp_path, "tofu", "terraform").program().endswith("/terraform")


@pytest.mark.processes
def test_opentofu_may_be_older_by_its_own_count(tmp_path: Path) -> None:
    """`init -json` came with OpenTofu 1.7; its `version -json` names its version terraform_version as well."""
    setup_with(tmp_path, "tofu", version="1.7.0").check()


def test_opentofu_finds_the_provider_under_its_own_registrys_name(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    package = Path("hashicorp") / "aws" / "5.100.0" / "linux_amd64"
    (mirror / "registry.terraform.io" / package).mkdir(parents=True)
    setup = setup_with(tmp_path, "tofu", LAB_TF_MIRROR=str(mirror))
    for _ in range(2):  # the second time everything is there
        text = setup.write_configuration().read_text()
        (path,) = re.findall(r'path = "(.*)"', text)
        for host in ("registry.opentofu.org", "registry.terraform.io"):
            assert (Path(path) / host / package).is_symlink()
            assert not (Path(path) / host / package.parent).is_symlink(), "Terraform would not look below it"
    plain = setup_with(tmp_path, "terraform", LAB_TF_MIRROR=str(mirror))
    assert f'path = "{mirror}"' in plain.write_configuration().read_text()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ((), {}, "not installed"),
        (("tofu",), {"version": "1.6.2"}, "tofu 1.6 is too old"),
        (("terraform",), {"version": "1.5.7"}, "terraform 1.5 is too old"),
        (("terraform",), {"memory": 500 << 20}, "500 MB are free"),
        (("terraform",), {"LAB_TF_MIRROR": "/nonexistent"}, "no folder"),
        (("terraform",), {"version": "?"}, "does not say its version"),
    ],
)
def test_what_can_not_end_well_is_refused_with_a_way_out(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(DeployError, match=message) as caught:
        setup_with(tmp_path, *names, **options).check()
    assert caught.value.hint


@pytest.mark.processes
def test_a_dangling_configuration_in_the_environment_is_no_trouble(tmp_path: Path) -> None:
    setup_with(tmp_path, "terraform", TF_CLI_CONFIG_FILE="/nonexistent").check()


@pytest.mark.processes
def test_memory_that_nobody_tells_is_no_reason_to_refuse(tmp_path: Path) -> None:
    setup_with(tmp_path, "terraform", memory=None).check()


def test_the_memory_of_this_machine_is_plausible() -> None:
    free = available_memory()
    assert free is None or 1 << 20 < free < 1 << 50


def test_a_version_is_read_from_json_alone() -> None:
    assert version_of(Completed(0, '{"terraform_version": "1.12.0-beta1"}', ""), "t") == (1, 12)
    with pytest.raises(DeployError):
        version_of(Completed(0, "Terraform v1.11.4", ""), "t")


def test_a_provider_whose_cache_is_gone_is_fetched_again(tmp_path: Path) -> None:
    """What lies in the student's folder is a link into the kit's cache, which a clean-up or a move takes away."""
    package = tmp_path / "cache" / "linux_amd64"
    package.mkdir(parents=True)
    files = tmp_path / "files"
    link = files / ".terraform" / "providers" / "registry" / "hashicorp" / "aws" / "5.0" / "linux_amd64"
    link.parent.mkdir(parents=True)
    link.symlink_to(package)
    (files / ".terraform.lock.hcl").write_text("")
    programs = OnThisMachine()
    assert programs.is_initialised(files)
    package.rmdir()
    assert not programs.is_initialised(files)
