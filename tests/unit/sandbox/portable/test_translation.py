"""Paths between a sandbox and this machine: a pure function of text."""

import pytest

from labkit.sandbox.portable.inside.translation import Translation

ROOT = "/tmp/labx/i-1"
PATHS = Translation(
    ROOT,
    farm="/tmp/labx/bin0",
    kept=("/usr/local/lib/python3.13", "/home/me/.venv"),
    programs={"python3", "dnf"},
    made={"app", "bin"},
    free={"app", "data", "never"},
)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/opt/app.py", f"{ROOT}/opt/app.py"),
        ("/etc/systemd/system", f"{ROOT}/etc/systemd/system"),
        ("/opt", f"{ROOT}/opt"),
        ("/option", "/option"),
        ("/app/x", f"{ROOT}/app/x"),
        ("/data", f"{ROOT}/data"),
        ("/bin/x", "/bin/x"),
        ("/", ROOT),
        ("/usr/bin/python3", f"{ROOT}/usr/bin/python3"),
        ("/usr/bin/python3.12", "/usr/bin/python3.12"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("/bin/dnf", f"{ROOT}/usr/bin/dnf"),
        ("/usr/local/lib/python3.13/os.py", "/usr/local/lib/python3.13/os.py"),
        ("/home/me/.venv/x", "/home/me/.venv/x"),
        ("/home/ec2-user/x", f"{ROOT}/home/ec2-user/x"),
        ("relative/opt", "relative/opt"),
        ("/proc/self/fd/3", "/proc/self/fd/3"),
    ],
)
def test_real_and_shown(path: str, real: str) -> None:
    assert PATHS.real(path) == real
    assert PATHS.real(real) == real
    assert PATHS.shown(real) in (path, f"/usr/bin/{path.rpartition('/')[2]}")


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("cd /opt && ls", f"cd {ROOT}/opt && ls"),
        ("echo x >/var/log/a 2>/dev/console", f"echo x >{ROOT}/var/log/a 2>{ROOT}/dev/console"),
        ("PATH=/usr/local/bin:$PATH", f"PATH={ROOT}/usr/local/bin:$PATH"),
        ('"/home/ec2-user/x"', f'"{ROOT}/home/ec2-user/x"'),
        ("/usr/bin/python3 -m http.server", f"{ROOT}/usr/bin/python3 -m http.server"),
        ("/usr/bin/env python3", "/usr/bin/env python3"),
        ("curl http://10.0.1.4:5417/home", "curl http://10.0.1.4:5417/home"),
        ('curl "http://$HOST:$PORT/home"', 'curl "http://$HOST:$PORT/home"'),
        ('curl "${URL}/home"', 'curl "${URL}/home"'),
        ("/homestead /optional", "/homestead /optional"),
        ('curl "http://$HOST:$PORT"/home', 'curl "http://$HOST:$PORT"/home'),
        ("open(f'/opt/{name}')", f"open(f'{ROOT}/opt/{{name}}')"),
        ("cp x /app/y; awk '/data/'", f"cp x {ROOT}/app/y; awk '/data/'"),
    ],
)
def test_shell_text(text: str, translated: str) -> None:
    assert PATHS.text(text) == translated
    assert PATHS.text(translated) == translated


def test_a_script_s_here_documents_are_other_programs_texts() -> None:
    script = "#!/bin/bash\ncat > /opt/a.py <<'PY'\n@app.get('/home')\nPY\ncp /opt/a.py /srv\n"
    assert PATHS.script(script) == (
        f"#!/bin/bash\ncat > {ROOT}/opt/a.py <<'PY'\n@app.get('/home')\nPY\ncp {ROOT}/opt/a.py {ROOT}/srv\n"
    )


def test_a_shell_script_in_a_here_document_is_translated() -> None:
    script = "#!/bin/bash\ncat > /opt/a <<EOF\n#!/bin/sh\nls /opt\nEOF\n"
    assert f"#!/bin/sh\nls {ROOT}/opt\nEOF" in PATHS.script(script)


def test_of_other_scripts_the_first_line_alone_is_translated() -> None:
    script = "#!/usr/bin/python3\nopen('/opt/x')\n"
    assert PATHS.script(script) == f"#!{ROOT}/usr/bin/python3\nopen('/opt/x')\n"


def test_a_boot_script_may_ask_whether_it_is_root() -> None:
    assert "[ 0 -ne 0 ]" in PATHS.script("#!/bin/bash\n[ $EUID -ne 0 ] && exit 1\n")


def test_the_path_has_the_sandbox_s_programs_before_this_machine_s() -> None:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
    assert PATHS.path_variable(path) == (
        f"{ROOT}/usr/local/sbin:{ROOT}/usr/local/bin:{ROOT}/usr/bin:/tmp/labx/bin0"
    )


def test_what_a_script_makes_at_the_root_is_the_sandboxs_from_then_on() -> None:
    paths = Translation(ROOT, free={"srv1", "srv2", "data"})
    script = "#!/bin/bash\ngrep -q /data x > log\nmkdir -p /srv1/a /srv2\ncp x /srv2/y\ncd / && pwd\n"
    assert paths.script(script) == (
        f"#!/bin/bash\ngrep -q /data x > log\nmkdir -p {ROOT}/srv1/a {ROOT}/srv2\ncp x {ROOT}/srv2/y\n"
        f"cd {ROOT} && pwd | sed 's#^{ROOT}##; s#^$#/#'\n"
    )
    assert paths.text("cat /srv1/a /data") == f"cat {ROOT}/srv1/a /data"
