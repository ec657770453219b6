"""The Python that a server or a function has is the image's or the runtime's, not this machine's."""

import textwrap

import pytest

NEW = (
    ("-c 'import sys; match = sys.argv\nmatch match:\n    case _: pass'", "SyntaxError"),
    ("-c 'import tomllib'", "No module named"),
    ("-c 'from datetime import UTC'", "cannot import name"),
    ("-c 'def f(x: int | None): pass'", "unsupported operand"),
    ("-c 'zip([1], [2], strict=True)'", "keyword"),
)
AMZN2 = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"


@pytest.fixture(scope="module")
def server(live):
    """A server whose user data installed python3.11 and a package for the image's own Python."""
    script = """\
        #!/bin/bash
        python3.11 -V > /root/before 2>&1
        dnf install -qy python3.11 python3-pip
        pip3 install waitress
    """
    with live.instance(textwrap.dedent(script)) as made:
        yield made


def test_amazon_linux_2023_has_python_3_9(live, server) -> None:
    """EC2, Amazon Linux 2023 user guide, "Python in AL2023": the system's python3 is 3.9 for the image's whole life."""
    assert live.inside(server, "python3 --version; python3.9 -V").split() == ["Python", "3.9.25"] * 2
    shown = live.inside(
        server, "python3 -c 'import sys, platform; print(sys.version_info[:2], platform.python_version())'"
    )
    assert shown.strip() == "(3, 9) 3.9.25"


def test_newer_syntax_and_modules_fail_on_the_images_python(live, server) -> None:
    """EC2, Amazon Linux 2023 user guide, "Python in AL2023"; a program written for 3.11 does not run there."""
    for words, said in NEW:
        assert said in live.inside(server, f"python3 {words}"), words


def test_python_3_11_from_dnf_runs_them(live, server) -> None:
    """EC2, Amazon Linux 2023 user guide, "Python in AL2023": python3.11 is installed beside the system's, by name."""
    assert "python3.11: command not found" in live.inside(server, "cat /root/before")
    for words, _ in NEW:
        assert live.inside(server, f"python3.11 {words}") == "", words


def test_each_python_has_packages_of_its_own(live, server) -> None:
    """EC2, Amazon Linux 2023 user guide, "Python in AL2023": what pip3 installs is not there for python3.11."""
    place = live.inside(server, "python3 -c 'import waitress; print(waitress.__file__)'")
    assert "/usr/local/lib/python3.9/site-packages/waitress" in place
    assert "No module named 'waitress'" in live.inside(server, "python3.11 -c 'import waitress'")
    made = "python3 -m venv /opt/v && /opt/v/bin/pip install -q waitress >/dev/null; /opt/v/bin/python -c"
    assert (
        live.inside(server, f"{made} 'import sys, waitress; print(sys.version_info[:2])'").strip() == "(3, 9)"
    )


def test_a_unit_run_by_the_images_python_dies_of_new_syntax(live, server) -> None:
    """EC2, Amazon Linux 2023 user guide, "Python in AL2023"; systemctl shows the failed unit, the journal its last words."""
    unit = r"[Unit]\n[Service]\nExecStart=/usr/bin/python3 /opt/new.py\n"
    live.inside(server, r"printf 'match 1:\n    case 1: print(1)\n' > /opt/new.py")
    live.inside(server, f"printf '{unit}' > /etc/systemd/system/new.service; systemctl start new")
    state = live.inside(
        server,
        "for _ in $(seq 100); do systemctl is-failed -q new && break; sleep 0.1; done; systemctl is-failed new",
    )
    assert state.strip() == "failed"
    assert "SyntaxError" in live.inside(server, "journalctl -u new --no-pager")


def test_amazon_linux_2_has_python_3_7(live) -> None:
    """EC2, Amazon Linux 2 user guide: its python3 is 3.7, without the walrus and zoneinfo."""
    image = live.ssm.get_parameter(Name=AMZN2)["Parameter"]["Value"]
    with live.instance("#!/bin/bash\npython3 -V\n", ImageId=image) as made:
        assert live.inside(made, "python3 -V").strip() == "Python 3.7.16"
        assert "SyntaxError" in live.inside(made, "python3 -c 'print(x := 1)'")
        assert "No module named 'zoneinfo'" in live.inside(made, "python3 -c 'import zoneinfo'")
        assert "release 2 (Karoo)" in live.inside(made, "cat /etc/system-release")


def test_a_functions_python_is_its_runtimes(live, aids) -> None:
    """Lambda developer guide, "Lambda runtimes": python3.10 runs Python 3.10, with its grammar and library."""
    shown = "import sys\ndef lambda_handler(event, context):\n    return [*sys.version_info[:2]]\n"
    assert live.run(shown, Runtime="python3.10") == [3, 10]
    answer = live.lambda_.invoke(FunctionName=live.function("import tomllib\n" + shown, Runtime="python3.10"))
    assert answer["FunctionError"] == "Unhandled"
    said = answer["Payload"].read().decode()
    assert "Runtime.ImportModuleError" in said
    assert "No module named 'tomllib'" in said
    star = (
        "def lambda_handler(event, context):\n    try:\n        pass\n    except* ValueError:\n        pass\n"
    )
    answer = live.lambda_.invoke(FunctionName=live.function(star, Runtime="python3.10"))
    assert "Runtime.UserCodeSyntaxError" in answer["Payload"].read().decode()
    assert (
        live.run(
            "import tomllib\n" + star.replace("        pass\n", "        return tomllib.__name__\n", 1),
            Runtime="python3.11",
        )
        == "tomllib"
    )
