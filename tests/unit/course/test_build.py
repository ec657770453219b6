"""The build is a pure function whose two products agree byte for byte, and whose errors name file and line."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from labkit.base.errors import TemplateError
from labkit.course import build as kit
from labkit.course.build import (
    APP,
    BOOT,
    BOOT_TEMPLATE,
    FUNCTION,
    PACKAGE,
    TEMPLATE,
    Build,
    build,
    user_data,
    write_build,
)
from labkit.course.variant import make_variant

pytestmark = pytest.mark.slow

VARIANT = make_variant("course", "ada")
VALUES = kit.settings(VARIANT, bucket="ada-images", table="ada-rows", region="eu-west-1")
SCRIPT = """\
#!/bin/bash
echo @S3_BUCKET@ ${HOME} %{http_code} "$PORT" @PORT@
cat > app.py <<'FLASK_APP'
#include flask_app.py
FLASK_APP
"""
FRAME = """\
Function:
  Description: boot script @BOOT_HASH@
  ZipFile: |
    #include lambda_function.py
  Next: 1
Server:
  UserData:
    Sub:
      - |
        #include flask_server_startup.sh
      - PORT: 1
"""
FILES = {
    BOOT: SCRIPT.encode(),
    APP: b'x = f"${1}"\n\nprint(x)\n',
    FUNCTION: b"def lambda_handler(event, context):\n    return '${x}'\n",
    TEMPLATE: FRAME.encode(),
}


def built(**changed: bytes) -> Build:
    names = {"boot": BOOT, "app": APP, "function": FUNCTION, "template": TEMPLATE}
    return build(FILES | {names[key]: data for key, data in changed.items()}, VARIANT)


def loaded(result: Build) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(result.files[TEMPLATE])
    return document


def by_terraform(result: Build) -> str:
    """templatefile(), as Terraform's "String Templates" describes it."""
    names = {name.lower(): value for name, value in VALUES.items()}

    def each(match: re.Match[str]) -> str:
        return match[0][1:] if match[0][:2] in ("$$", "%%") else match[2] or names[match[1]]

    return re.sub(r"\$\$\{|%%\{|\$\{(?:(\w+)|\"(\$+)\")\}", each, result.files[BOOT_TEMPLATE].decode())


def by_cloudformation(result: Build) -> str:
    """Fn::Sub with its map, as CloudFormation's reference describes it."""
    text = loaded(result)["Server"]["UserData"]["Sub"][0]

    def each(match: re.Match[str]) -> str:
        return "${" if match[0] == "${!" else VALUES[match[1]]

    return re.sub(r"\$\{!|\$\{(\w+)\}", each, text)


def module(result: Build) -> bytes:
    with zipfile.ZipFile(io.BytesIO(result.files[PACKAGE])) as archive:
        assert archive.namelist() == [FUNCTION]
        return archive.read(FUNCTION)


def test_the_application_stands_in_the_script() -> None:
    script = built().files[BOOT].decode()
    assert "<<'FLASK_APP'\nx = f\"${1}\"\n\nprint(x)\nFLASK_APP\n" in script


def test_both_engines_get_the_same_user_data() -> None:
    result = built()
    wanted = user_data(result.files[BOOT].decode(), VALUES)
    assert 'echo ada-images ${HOME} %{http_code} "$PORT"' in wanted
    assert by_terraform(result) == wanted
    assert by_cloudformation(result) == wanted


def test_both_engines_get_the_same_module() -> None:
    result = built()
    assert loaded(result)["Function"]["ZipFile"].encode() == module(result) == FILES[FUNCTION]


awkward = st.text(st.sampled_from("$%{}!@#ab \t\r\n\"'\\:|-é\u2028\x85\x07\ufeff😀"), max_size=40)


@given(awkward, awkward)
def test_whatever_a_student_writes_arrives_unchanged(boot: str, function: str) -> None:
    result = built(boot=f"{boot}@PORT@".encode(), function=function.encode())
    wanted = user_data(result.files[BOOT].decode(), VALUES)
    assert by_terraform(result) == wanted
    assert by_cloudformation(result) == wanted
    assert loaded(result)["Function"]["ZipFile"].encode() == module(result) == function.encode()


def test_the_same_files_give_the_same_bytes() -> None:
    assert built() == built()
    assert built().warnings == ()


def test_the_boot_scripts_hash_is_in_the_template_and_follows_the_application() -> None:
    one, other = built(), built(app=b"y = 2\n")
    assert loaded(one)["Function"]["Description"] == f"boot script {one.hashes['boot_script'][:12]}"
    assert one.hashes["boot_script"] != other.hashes["boot_script"]
    assert one.hashes["lambda_module"] == other.hashes["lambda_module"]


@pytest.mark.parametrize("name", [BOOT, APP, FUNCTION, TEMPLATE])
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(TemplateError, match=f"{name} is missing"):
        build({key: data for key, data in FILES.items() if key != name}, VARIANT)


@pytest.mark.parametrize("name", [BOOT, APP, FUNCTION, TEMPLATE])
def test_a_file_that_is_not_text_is_named_with_its_line(name: str) -> None:
    with pytest.raises(TemplateError, match=f"{name}, line 2: this is not text in UTF-8"):
        build(FILES | {name: b"one\n\xff\xfe\n"}, VARIANT)


def test_an_include_that_does_not_exist_is_named_with_its_line() -> None:
    with pytest.raises(TemplateError, match=rf"{BOOT}, line 2: other\.py can't be included"):
        built(boot=b"#!/bin/bash\n#include other.py\n")


def test_a_setting_that_does_not_exist_is_named_with_its_line() -> None:
    with pytest.raises(TemplateError, match=r"line 2: nothing is known under the name @BUCKET@") as refused:
        built(boot=b"#!/bin/bash\necho @BUCKET@\n")
    assert "@S3_BUCKET@" in refused.value.hint


def test_the_end_of_the_here_document_may_not_stand_in_the_application() -> None:
    with pytest.raises(TemplateError, match=f"{APP}, line 2: 'FLASK_APP'"):
        built(app=b"x = 1\nFLASK_APP\n")
    assert built(app=b"x = 'FLASK_APP'\n")


def test_user_data_over_ec2s_limit() -> None:
    """EC2, RunInstances: user data is limited to 16 KB before it is encoded."""
    room = kit.USER_DATA_LIMIT - len(user_data(built(app=b"\n").files[BOOT].decode(), VALUES).encode())
    assert built(app=b"#" * (room - 200) + b"\n")
    with pytest.raises(TemplateError, match=r"16,384.*flask_server_startup\.sh has .*flask_app\.py has"):
        built(app=b"#" * (room + 1) + b"\n")


def test_a_template_over_cloudformations_limit() -> None:
    """CloudFormation quotas: a template body in a request may have 51,200 bytes."""
    with pytest.raises(TemplateError, match=r"51,200.*lambda_function\.py has"):
        built(function=b"#" * kit.TEMPLATE_LIMIT)


def test_mistakes_that_aws_takes_are_told_and_left_as_they_are() -> None:
    result = built(boot=b"echo one\necho two\r\n")
    assert [line.partition(":")[0] for line in result.warnings] == [f"{BOOT}, line 1", f"{BOOT}, line 2"]
    assert by_cloudformation(result) == by_terraform(result) == "echo one\necho two\r\n"


def test_windows_line_ends_from_the_first_line_on_are_mended_by_cloud_init() -> None:
    """cloud-init, cloudinit.handlers.shell_script: util.dos2unix looks at the first line's end."""
    assert built(boot=b"#!/bin/bash\r\necho two\r\n").warnings == ()


def test_an_empty_template_is_refused_here() -> None:
    with pytest.raises(TemplateError, match="is empty"):
        built(template=b"\n")


def test_writing_leaves_right_files_alone(tmp_path: Path) -> None:
    write_build(tmp_path, built())
    before = (tmp_path / BOOT).stat().st_ino
    write_build(tmp_path, built(function=b"pass\n"))
    assert (tmp_path / BOOT).stat().st_ino == before
    assert b"pass" in (tmp_path / TEMPLATE).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(built().files)
