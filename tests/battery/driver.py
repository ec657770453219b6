"""A grader with secrets, which runs attacks in sandboxes: the program under attack.

Reads names of attacks, one a line; answers each with one JSON line of what came out, seen from
outside. `driver.py FOLDER`: a folder of its own. Only the standard library and labkit.sandbox.
"""

import glob
import json
import os
import shutil
import socket
import sys
import threading
import time
import uuid
from pathlib import Path

from labkit.sandbox.capture import run
from labkit.sandbox.spec import Bind, Limits, SandboxSpec
from labkit.sandbox.tiers import open_best

LIMITS = Limits(memory_mb=512, processes=64, cpu_seconds=10, file_mb=32, disk_mb=64, files=4096)
TIER = os.environ.get("LAB_TIER", "namespaces")
ATTACKS = Path(__file__).with_name("attacks.py")
INSIDE = "/opt/attacks.py"
SERVED = 4566
SECONDS = float(os.environ.get("BATTERY_SECONDS", "2"))


def _seconds(attack: str) -> float:
    """Time ends what never ends; what memory must end gets time enough, however busy the machine is."""
    return 30 if attack.startswith("memory_hog") else SECONDS


def answer_all(listener, text):
    """Serve `text` to whoever connects."""

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(100)
                client.sendall(text)

    threading.Thread(target=serve, daemon=True).start()


def listen(family, address):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    answer_all(listener, b"FORBIDDEN")
    return listener


class Grader:
    """Everything that an attack would like to have."""

    def __init__(self, folder):
        self.secret = os.environ["GRADER_SECRET"]
        self.hidden = folder / "hidden" / "tests.py"
        self.results = folder / "results" / "results.json"
        for path, text in ((self.hidden, self.secret), (self.results, "0")):
            path.parent.mkdir(mode=0o700)
            path.write_text(text)
        self.abstract = f"grader-{os.getpid()}"
        listeners = [listen(socket.AF_INET, ("127.0.0.1", 0))]
        self.port = listeners[0].getsockname()[1]
        listeners.append(listen(socket.AF_INET, ("127.0.0.2", self.port)))
        listeners.append(listen(socket.AF_UNIX, "\0" + self.abstract))
        listeners.append(listen(socket.AF_UNIX, str(folder / "s")))
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.datagrams.setblocking(False)
        self.path = str(folder / "s")
        # what is graded lies in a folder whose name tells it
        self.place = f"judging-{os.getpid()}"
        (folder / self.place).mkdir()
        self.attacks = shutil.copy(ATTACKS, folder / self.place)
        self.listeners = listeners

    def targets(self, token):
        return {
            "token": token,
            "grader": os.getpid(),
            "secret": self.secret,
            "hidden": str(self.hidden),
            "results": str(self.results),
            "served": SERVED,
            "forbidden": self.port,
            "abstract": self.abstract,
            "path": self.path,
            # without namespaces "everybody" are all processes of this user, not of the sandbox
            "spares": "spared" if TIER != "namespaces" else "",
            "udp": self.datagrams.getsockname()[1],
            # a name in the path of what is shown inside, and how this machine was started
            "place": self.place,
            "started": Path("/proc/cmdline").read_text().strip() or "nothing",
        }

    def received(self):
        try:
            return self.datagrams.recv(100).decode()
        except BlockingIOError:
            return ""

    def state(self):
        return {
            "results": self.results.read_text(),
            "modes": [oct(self.results.stat().st_mode), oct(self.results.parent.stat().st_mode)],
            "files": sorted(os.listdir(self.results.parent)),
        }


def survivors(token):
    """The command lines, still running, in which the token shows."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = Path(path).read_bytes()
        except OSError:
            continue
        if token.encode() in line:
            found.append(line.decode())
    return found


def spilled(token):
    folders = ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd())
    return [path for folder in folders for path in glob.glob(f"{folder}/*{token}*")]


def spec_of(attack, grader, targets):
    command = (sys.executable, "-I", INSIDE, attack, targets["token"])
    beside = attack == "takes_over_the_first_process"
    what = (
        {"entry": "battery.first:main", "arguments": {"command": command}, "title": "/sbin/init", "uid": 0}
        if beside
        else {"command": command}
    )
    return SandboxSpec(
        name=attack,
        **what,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "TARGETS": json.dumps(targets)},
        listen=(("127.0.0.1", SERVED),),
        binds=(Bind(str(grader.attacks), INSIDE),),
        limits=LIMITS,
    )


def json_lines(output):
    lines = []
    for line in output.decode(errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def attempt(host, grader, attack):
    token = uuid.uuid4().hex
    before, targets = grader.state(), grader.targets(token)

    def serve(sandbox):
        listeners.extend(sandbox.listeners)
        answer_all(sandbox.listeners[0], b"SERVED")

    listeners = []
    start = time.monotonic()
    done = run(host, spec_of(attack, grader, targets), seconds=_seconds(attack), started=serve)
    seconds = time.monotonic() - start
    for listener in listeners:
        listener.close()
    return {
        "reason": done.reason,
        "code": done.code,
        "seconds": seconds,
        "said": json_lines(done.output),
        "kept": len(done.output),
        "errors": done.errors.decode(errors="replace"),
        "survivors": survivors(token),
        "spilled": spilled(token),
        "datagram": grader.received(),
        "untouched": grader.state() == before,
    }


def main():
    grader = Grader(Path(sys.argv[1]))
    with open_best(("battery.first",), wanted=TIER).host as host:
        print(json.dumps({"uid": os.getuid()}), flush=True)
        for line in sys.stdin:
            print(json.dumps(attempt(host, grader, line.strip())), flush=True)


main()
