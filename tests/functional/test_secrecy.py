"""What a program prints while it is judged beside the reference, or after hidden inputs, is told nowhere.

What belongs here: gradings of submissions that try to have it told. What does not: the filter itself (unit tests).
"""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.systems.gaps import bodies

pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(500)]
ADA = ("--student", "ada@uni.edu")
_PRINTS = r"""
set +x
python3.11 - <<'PRINTS'
import base64, re, zlib
text = open("/opt/flask-app/flask_app.py").read()
gaps = "\n".join(m[0] for m in re.finditer(r"# >>> gap .*?# <<< gap \S+", text, re.S))
code = base64.b64encode(zlib.compress(gaps.encode(), 9)).decode()
for number in range(6):
    print("ERROR L%d:" % number + code[number * 480:(number + 1) * 480] + ":")
PRINTS
exit 3
"""


def everything(lab: Any, folder: Path, out: Path, *lines: str) -> tuple[dict[str, Any], str]:
    """The result of grading these lines, and all that the reports for students hold."""
    only = [word for line in lines for word in ("--only", line)]
    run = lab.run("grade", str(folder), "--json", *ADA, *only, "--reports", str(out), timeout=400)
    assert run.status == 0, run
    return run.result, "\n".join(path.read_text() for path in sorted(out.iterdir())) + json.dumps(run.result)


def unpacked(texts: str) -> str:
    """What pieces of packed text in there say, put together."""
    pieces = dict(re.findall(r"L(\d):([A-Za-z0-9+/=]{20,480}):", texts))
    code = "".join(pieces[number] for number in sorted(pieces))
    try:
        return (
            zlib.decompressobj()
            .decompress(base64.b64decode(code + "=" * (-len(code) % 4)))
            .decode(errors="replace")
        )
    except (ValueError, zlib.error):
        return ""


def test_a_boot_script_that_prints_the_application_beside_it_tells_nothing_of_the_reference(
    lab: Any, tmp_path: Path
) -> None:
    assert lab.run("generate", *ADA).status == 0
    folder = lab.workspace("ada@uni.edu")
    script = folder / "flask_server_startup.sh"
    script.write_text(script.read_text().replace("# 3. The service.\n", _PRINTS + "# 3. The service.\n", 1))
    result, told = everything(lab, folder, tmp_path / "out", "boot-clean", "unit-env")
    line = next(each for each in result["lines"] if each["id"] == "boot-clean")
    assert line["verdict"]["outcome"] == "failed"
    assert line["verdict"]["reason"].startswith("your boot script ended with 3")
    assert lab.run("generate", *ADA, "--solution").status == 0
    reference = (lab.workspace("ada@uni.edu.solution") / "flask_app.py").read_text()
    secret = {
        line.strip() for text in bodies(reference).values() for line in text.splitlines() if len(line) > 20
    }
    seen, own = unpacked(told), (folder / "flask_app.py").read_text()
    assert not [line for line in secret if line in seen and line not in own]


def test_a_server_that_remembers_what_it_was_asked_tells_nothing_of_hidden_inputs(
    lab: Any, tmp_path: Path
) -> None:
    """It writes all URLs into its journal, and dies when it is killed: the line after hidden ones quotes the journal."""
    assert lab.run("generate", *ADA, "--solution").status == 0
    folder = lab.workspace("ada@uni.edu.solution")
    app, script = folder / "flask_app.py", folder / "flask_server_startup.sh"
    app.write_text(
        app.read_text().replace(
            "    # >>> gap download\n", '    # >>> gap download\n    print("ASKED", url, flush=True)\n', 1
        )
    )
    script.write_text(re.sub(r"(?m)^Restart.*\n", "", script.read_text()))
    result, _ = everything(lab, folder, tmp_path / "out", "bad-download", "crash-restart")
    verdict = next(each for each in result["lines"] if each["id"] == "crash-restart")["verdict"]
    assert verdict["outcome"] == "failed"
    assert verdict["reason"].startswith("your service stayed dead after kill −9")
    assert "ASKED" not in json.dumps(verdict)
    assert (verdict["found"], verdict["evidence"]) == ("", [])
