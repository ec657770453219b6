"""Kill −9 in the middle of a grading, at moments drawn from fixed seeds: no process of it outlives it.

`make verify` takes all seeds; a sample runs always. Whatever loses its parent comes to the one that watches (a subreaper),
so nothing is looked for by name, and nothing can hide.
"""

import json
import random
import sys
from typing import Any

import pytest

from tests.functional.conftest import ROOT

ADA = ("--student", "ada@uni.edu", "--solution")
SEEDS = range(1, 13)
#: what is asked for the process to be killed, and for how long what is left may take to end in order
WHOM = ("runner", "judge", "warm parent")
PATIENCE = 90

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to another than process 1"),
]
WATCH = """
import ctypes, json, os, signal, subprocess, sys, time
events, whom, patience, *command = json.loads(sys.argv[1])
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)

def line_of(pid):
    try:
        return open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return ""

def below(pid):
    try:
        found = [int(n) for t in os.listdir(f"/proc/{pid}/task") for n in open(f"/proc/{pid}/task/{t}/children").read().split()]
    except OSError:
        return []
    return found + [each for one in found for each in below(one)]

def chosen():
    if whom == "runner":
        return process.pid
    own = [pid for pid in below(process.pid) if "labkit.grading.process.warm" in line_of(pid) or "labkit.grading.process.judge" in line_of(pid)]
    return own[0 if whom == "warm parent" else -1]

seen, killed = 0, 0
for line in process.stdout:
    seen += "event" in json.loads(line)
    if seen == events and not killed:
        before = below(process.pid)
        killed = chosen()
        os.kill(killed, signal.SIGKILL)
status = process.wait()
end = time.monotonic() + patience
while time.monotonic() < end:
    try:
        if not os.waitpid(-1, os.WNOHANG)[0]:
            time.sleep(0.1)
    except ChildProcessError:
        break
left = [line_of(pid) for pid in below(os.getpid())]
print(json.dumps({"seen": seen, "killed": killed, "below": len(before), "left": left}))
for pid in below(os.getpid()):
    os.kill(pid, signal.SIGKILL)
"""


def killed_at(lab: Any, events: int, whom: str) -> dict[str, Any]:
    command = ["/bin/sh", str(ROOT / "lab"), "grade", *ADA, "--json"]
    watching = lab._popen([sys.executable, "-c", WATCH, json.dumps([events, whom, PATIENCE, *command])])
    output, errors = watching.communicate()
    assert watching.returncode == 0, errors
    return dict(json.loads(output))


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed == 1 else pytest.mark.verify) for seed in SEEDS]
)
def test_a_killed_grading_leaves_no_process(lab: Any, seed: int) -> None:
    draw = random.Random(seed)
    events, whom = draw.randrange(2, 30), WHOM[seed % len(WHOM)]
    lab.step("01", *ADA)
    outcome = killed_at(lab, events, whom)
    print(f"seed {seed}: {whom} killed after {events} events; {outcome}")
    assert outcome["killed"], "it ended before"
    assert outcome["below"], "a grading has processes below it"
    assert outcome["left"] == []
