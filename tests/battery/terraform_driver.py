"""A judge with secrets, which has Terraform run in its sandbox: `terraform_driver.py FOLDER KIT`.

Reads one JSON object a line: {"probe": NAME} runs a function of terraform_probes.py in Terraform's place (exactly as it
would be run, but for the program), {"files": {NAME: TEXT}, "command": [...]} the real Terraform with no look at the
files before. Answers each with one JSON line of what came out, seen from outside.
"""

import json
import os
import shutil
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

from labkit.base.errors import LabError
from labkit.deploy.targets import Target
from labkit.deploy.terraform_command import Setup
from labkit.grading.systems import terraform_sandbox
from labkit.sandbox import capture, exchange, tiers
from labkit.sandbox.spec import Limits

MODULES = ("ctypes", "resource", "socket", "json", "contextlib", "encodings.idna", exchange.__name__)
PROBES = Path(__file__).with_name("terraform_probes.py").read_text()
SMALL = Limits(
    memory_mb=300, processes=60, cpu_seconds=3, file_mb=24, open_files=1024, disk_mb=40, files=1024
)
LARGE = replace(terraform_sandbox.LIMITS, cpu_seconds=40)


class Listener:
    """Answers whoever connects, and counts them."""

    def __init__(self, family, address, answer):
        self._socket, self._answer, self.count = socket.socket(family), answer, 0
        self._socket.bind(address)
        self._socket.listen()
        self.name = self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self._socket.accept()
            self.count += 1
            with client:
                client.settimeout(1)
                try:
                    client.recv(1000)
                    client.sendall(self._answer)
                except OSError:
                    pass


class Judge:
    """Everything that somebody else's Terraform would like to have, and the sandbox that it gets."""

    def __init__(self, folder, kit):
        self.folder, self.lab = folder, folder / "lab"
        secret = folder / "secret"
        secret.mkdir(mode=0o700)
        (secret / "canary.txt").write_text("CANARY")
        self.cloud = Listener(socket.AF_INET, ("127.0.0.1", 0), b"CLOUD")
        self.other = Listener(socket.AF_INET, ("127.0.0.1", 0), b"CANARY")
        Listener(socket.AF_INET, ("127.0.0.2", self.other.name[1]), b"CANARY")
        Listener(socket.AF_UNIX, f"\0judge-{os.getpid()}", b"CANARY")
        Listener(socket.AF_UNIX, str(secret / "s"), b"CANARY")
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.datagrams.setblocking(False)
        self.setup = Setup(folder / "kit", environment={**os.environ, "AWS_PROFILE": "x"})
        target = Target("local", "eu-west-1", f"http://127.0.0.1:{self.cloud.name[1]}")
        self.env = self.setup.variables(target)
        self.targets = {
            "canary": str(secret / "canary.txt"), "kit": kit, "pid": os.getpid(), "cloud": self.cloud.name[1],
            "port": self.other.name[1], "datagrams": self.datagrams.getsockname()[1], "path": str(secret / "s"),
            "abstract": f"judge-{os.getpid()}", "mirror": self.setup.mirror, "program": self.setup.program(),
            "beside": str(folder),
            "names": [*target.environment(), "AWS_MAX_ATTEMPTS", "TF_CLI_CONFIG_FILE", "TF_IN_AUTOMATION",
                      "CHECKPOINT_DISABLE", "HOME", "TMPDIR", "LC_CTYPE"],
        }  # fmt: skip
        self.host = tiers.open_best(
            MODULES, wanted=os.environ.get("LAB_TIER", ""), opener=terraform_sandbox.open_tier
        )

    def box(self, limits, seconds):
        """A sandbox for Terraform, with a disk of its own."""
        made = terraform_sandbox.TerraformSandbox(self.setup, limits=limits, seconds=seconds)
        made._opened = self.host
        self.lab = Path(str(self.folder / "lab") + os.urandom(4).hex())
        self.lab.mkdir()
        return made

    def probe(self, name):
        """Run a probe in Terraform's place."""
        box = self.box(SMALL, 30)
        code = f"exec(compile({PROBES!r}, 'probes', 'exec'), _g := {{'__name__': 'probes'}}); _g['T'] = {self.targets!r}; "
        code += f"print(__import__('json').dumps(_g[{name!r}]()))"
        spec = box._spec([self.setup.program(), "version"], self.lab, self.env)
        spec = replace(spec, command=(), entry="builtins:exec", arguments=code)
        box._fill(self.lab, {"main.tf": b""})
        with box._reached(spec, self.env) as (reached, started):
            done = capture.run(
                self.host.host, reached, seconds=8 if name in ("never_ends", "floods") else 30, output_bytes=1 << 20,
                started=started,
            )  # fmt: skip
        try:
            box._fetch(self.lab, ["terraform", "version"])
            left = sorted(path.name for path in self.lab.iterdir())
        except LabError as error:
            left = error.message
        seen = self.cloud.count
        threading.Event().wait(0.5 if name == "leaves_a_process" else 0)
        return {
            "code": done.code, "reason": done.reason, "said": done.output.decode("utf-8", "replace")[:20000], "left": left,
            "errors": done.errors.decode("utf-8", "replace")[-2000:], "more": self.cloud.count - seen,
            "heard": self.heard(), "outside": Path("/var/tmp/evil-by-terraform").exists(),
        }  # fmt: skip

    def heard(self):
        """Whether a datagram has arrived."""
        try:
            return bool(self.datagrams.recv(10))
        except BlockingIOError:
            return False

    def terraform(self, files, commands):
        """Run the real Terraform on files that nobody has looked at."""
        box, said, status, other = self.box(LARGE, 100), "", None, self.other.count
        for name, text in files.items():
            (self.lab / name).write_text(
                text.replace("@CANARY@", self.targets["canary"]).replace("@PORT@", str(self.targets["port"]))
            )
        try:
            for command in commands:
                done = box.follow(
                    [self.setup.program(), *command], lambda _: None, self.lab, self.env, self.folder / "log"
                )
                said, status = said + done.output + done.errors, done.status
        except LabError as error:
            said += f"\n{type(error).__name__}: {error.message}"
        left = "".join(
            path.read_text(errors="replace") for path in self.lab.iterdir() if path.suffix == ".tfstate"
        )
        return {"status": status, "said": said[-20000:], "canary": "CANARY" in said + left, "reached": self.other.count - other,
                "ran": Path("/tmp/ran-by-terraform").exists()}  # fmt: skip


def main(folder, kit):
    judge = Judge(Path(folder), kit)
    print(json.dumps({"uid": os.getuid(), "tier": judge.host.choice.tier}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = (
            judge.probe(asked["probe"])
            if "probe" in asked
            else judge.terraform(asked["files"], asked["commands"])
        )
        print(json.dumps(answer), flush=True)
    judge.host.host.close()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
