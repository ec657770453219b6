"""The lesson as a student meets it: screens for wrong turns, looking inside, hints, faults, measuring, packing."""

import configparser
import contextlib
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from labkit.course.manifest import load
from labkit.deploy.targets import Clients
from labkit.grading.intake.intake import take_in
from labkit.lesson.help.texts import Texts

ADA = ("--student", "ada@uni.edu")
SOLUTION = (*ADA, "--solution")
pytestmark = pytest.mark.slow


def screen(lab: Any, *arguments: str) -> str:
    """What a person sees of a command that fails: every line below 81 columns, no traceback."""
    run = lab.run(*arguments, "--plain")
    assert run.status != 0, run
    assert "Traceback" not in run.output + run.errors
    assert max(map(len, run.output.splitlines())) <= 80, run.output
    return str(run.output)


def message(text: str) -> list[str]:
    """The lines that belong to the first ✗, and the → that ends it."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("✗"))
    found = [lines[start]]
    for line in lines[start + 1 :]:
        over = found[-1].startswith("    ") and not line.startswith("    ")
        if over or not line.startswith("  "):
            break
        found.append(line)
    hint = next((n for n, line in enumerate(lines) if line.startswith("→")), len(lines))
    return [*found, *itertools.takewhile(lambda line: line.startswith(("→", "  ")), lines[hint:])]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def mine(deployed_solution: Any) -> Path:
    return deployed_solution.workspace("ada@uni.edu.solution")


@pytest.fixture
def restored(deployed_solution: Any, mine: Path):
    """Whatever a test edits is put back and deployed again."""
    before = {path: path.read_bytes() for path in mine.iterdir() if path.is_file()}
    yield
    for path, data in before.items():
        path.write_bytes(data)
    assert deployed_solution.run("deploy", *SOLUTION).status == 0


# ---- Looking around -----------------------------------------------------------------------------------


def test_the_whole_path_is_drawn(deployed_solution: Any) -> None:
    run = deployed_solution.run("wire", *SOLUTION, "--plain")
    assert run.status == 0, run
    assert "hop 6 of 7, health" in run.output
    assert "function ✓" in run.output


def test_a_command_inside_the_server(deployed_solution: Any) -> None:
    run = deployed_solution.run("shell", "server", "--", "journalctl", "-u", "flask-app", "--no-pager")
    assert run.status == 0, run
    assert "Serving on" in run.output
    assert deployed_solution.run("shell", "server", "--", "sh", "-c", "exit 7").status == 7
    assert deployed_solution.run("shell", "server", "--", "no-such-program").status == 127


def test_a_request_id_leads_from_the_answer_to_the_log(deployed_solution: Any) -> None:
    processed = deployed_solution.run("process", *SOLUTION, "--plain")
    assert processed.status == 0, processed
    found = re.search(r"Last request +([0-9a-f-]{36})", processed.output)
    assert found is not None
    log = deployed_solution.run("logs", "function", "--find", found[1])
    assert {line.split()[1] for line in log.output.split("\n") if line} >= {"START", "END", "REPORT"}


def test_the_newest_refusal_is_explained(deployed_solution: Any) -> None:
    asked = deployed_solution.run("shell", "server", "--", "aws", "dynamodb", "list-tables")
    assert asked.status != 0, asked
    run = deployed_solution.run("cloud", "why", "--plain")
    assert run.status == 0, run
    assert "✗ dynamodb:ListTables was refused" in run.output
    assert "(instance i-" in run.output
    assert "no statement of any policy allows it" in run.output
    assert "Action dynamodb:ListTables" in run.output


@contextlib.contextmanager
def opened(lab: Any) -> Iterator[str]:
    """The address of the page while the body runs."""
    process = lab.start("open", "--no-browser", "--json")
    try:
        assert process.stdout is not None
        yield next(line["result"]["url"] for line in map(json.loads, process.stdout) if "result" in line)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_the_page_shows_path_objects_and_rows_to_this_machine_only(deployed_solution: Any) -> None:
    assert deployed_solution.run("process", *SOLUTION).status == 0
    with opened(deployed_solution) as url:
        page = urllib3.request("GET", url)
        text = page.data.decode()
        assert page.status == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert re.findall(r"<script[^>]*>", text) == ["<script src=page.js defer>"], "its own, from here"
        assert urllib3.request("GET", url + "page.css").headers["Content-Type"].startswith("text/css")
        picture = re.search(r'src="(object/[^"]+)"', text)
        assert picture is not None
        stored = urllib3.request("GET", url + picture[1])
        assert stored.headers["Content-Type"].startswith("image/")
        foreign = urllib3.request("GET", url, headers={"Host": "evil.example"}, retries=False)
        assert foreign.status == 421
        assert urllib3.request("GET", url[:-5] + "/", retries=False).status == 404


# ---- Wrong turns, each with its screen ----------------------------------------------------------------


@pytest.mark.verify
def test_edited_and_not_deployed(deployed_solution: Any, mine: Path, restored: None) -> None:
    edit(mine / "flask_app.py", 'version="1.0"', 'version="1.1"')
    run = deployed_solution.run("wire", *SOLUTION, "--plain")
    assert "flask_app.py was saved at" in run.output
    assert "./lab deploy" in run.output
    for words in (
        ("deploy", "--check"),
        ("process", "--check"),
        ("measure", "--rate", "5", "--seconds", "1"),
    ):
        assert "flask_app.py was saved at" in deployed_solution.run(*words, *SOLUTION, "--plain").output, (
            words
        )


@pytest.mark.verify
def test_the_function_outside_the_network(lab: Any) -> None:
    lab.run("generate", *ADA)
    lab.run("deploy")
    shown = message(screen(lab, "wire"))
    assert len(shown) <= 8, shown
    text = " ".join(shown)
    for words in (
        "not inside your network",
        "dropped, not refused",
        "gap lambda-network",
        "cloudformation-template.yaml:",
        "./lab hint",
    ):
        assert words in text, shown
    hint = lab.run("hint")
    assert "Hint 1 of 3 for the gap lambda-network" in hint.output
    assert "CIDR" not in hint.output


@pytest.mark.verify
def test_the_wrong_door(deployed_solution: Any, mine: Path, restored: None) -> None:
    template = mine / "cloudformation-template.yaml"
    edit(
        template,
        "          FromPort: !Ref Port\n          ToPort: !Ref Port",
        "          FromPort: 5000\n          ToPort: 5000",
    )
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    deployed_solution.run("shell", "server", "--", "systemctl", "restart", "flask-app")
    shown = message(screen(deployed_solution, "wire", *SOLUTION))
    assert len(shown) <= 8, shown
    text = " ".join(shown)
    for words in (
        "hop 4 of 7",
        "needed  tcp",
        "found   tcp 5000",
        "gap server-door",
        "./lab what security-group",
    ):
        assert words in text, shown


@pytest.mark.verify
def test_variables_that_do_not_reach_the_service(deployed_solution: Any, mine: Path, restored: None) -> None:
    script = mine / "flask_server_startup.sh"
    edit(script, "Environment=S3_BUCKET=$S3_BUCKET\n", "")
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    shown = message(screen(deployed_solution, "process", *SOLUTION, "--image", str(_image())))
    text = " ".join(shown)
    for words in ("S3_BUCKET is None", "flask-app.service sees", "your boot script had", "gap unit"):
        assert words in text, shown


def test_access_denied(deployed_solution: Any, mine: Path, restored: None) -> None:
    edit(
        mine / "cloudformation-template.yaml",
        "Resource: !Sub ${ImageBucket.Arn}/${ObjectPrefix}/*",
        "Resource: !GetAtt ImageBucket.Arn",
    )
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    shown = message(screen(deployed_solution, "process", *SOLUTION, "--image", str(_image())))
    assert len(shown) <= 8, shown
    text = " ".join(shown)
    for words in ("s3:PutObject", "asked ", "allowed ", "Compare the two lines", "gap server-policy"):
        assert words in text, shown
    hint = deployed_solution.run("hint").output
    assert "your statement" in hint or "allow" in hint


@pytest.mark.verify
def test_own_code_that_does_not_start(deployed_solution: Any, mine: Path, restored: None) -> None:
    edit(
        mine / "flask_app.py",
        'return jsonify(error="image_url is missing"), 400',
        'return jsonify(error="no url"), 400)',
    )
    deployed = deployed_solution.run("deploy", *SOLUTION, "--plain").output
    boot = deployed_solution.run("logs", "boot").output
    assert "Failed with result 'start-limit-hit'" in boot, (
        "the boot script ends when its service failed for good"
    )
    for words in ("your program does not start", "flask_app.py line", "unmatched ')'", "Mend that line"):
        assert words in " ".join(deployed.split()), deployed
    text = " ".join(message(screen(deployed_solution, "wire", *SOLUTION)))
    assert "flask_app.py line" in text
    assert "unmatched ')'" in text


@pytest.mark.verify
@pytest.mark.parametrize("step", ["wire", "process"])
def test_a_function_that_does_not_load_names_its_line(
    deployed_solution: Any, mine: Path, restored: None, step: str
) -> None:
    edit(
        mine / "lambda_function.py",
        "return response.status, result_of(response)",
        "return response.status result_of(response)",
    )
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    text = " ".join(message(screen(deployed_solution, step, *SOLUTION)))
    assert "UserCodeSyntaxError" in text
    assert re.search(r"lambda_function\.py line \d+: +return response\.status result_of", text), text
    assert re.search(r"gap lambda-call, work/\S+/lambda_function\.py:\d+", text), text
    assert "code" in deployed_solution.run("hint", "--json").result["symptom"]


@pytest.mark.verify
def test_a_module_that_the_function_does_not_have(deployed_solution: Any, mine: Path, restored: None) -> None:
    edit(
        mine / "lambda_function.py",
        "    started = time.perf_counter()\n\n",
        "    import requests\n\n    started = time.perf_counter()\n\n",
    )
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    text = " ".join(message(screen(deployed_solution, "process", *SOLUTION, "--image", str(_image()))))
    for words in ("No module named 'requests'", "import requests", "boto3 and urllib3", "./lab hint"):
        assert words in text, text


@pytest.mark.verify
def test_the_right_answer_in_the_wrong_shape(deployed_solution: Any, mine: Path, restored: None) -> None:
    edit(mine / "lambda_function.py", '"body": json.dumps(body)}', '"body": body}')
    assert deployed_solution.run("deploy", *SOLUTION).status == 0
    text = " ".join(message(screen(deployed_solution, "process", *SOLUTION, "--image", str(_image()))))
    assert "502" in text or '"body"' in text


def test_the_gap_is_reset_and_the_text_is_kept(lab: Any) -> None:
    lab.run("generate", *ADA)
    path = lab.workspace("ada@uni.edu") / "flask_app.py"
    fresh = path.read_text()
    edit(path, '    raise NotWritten("store")', "    pass  # mine")
    assert "+    pass  # mine" in lab.run("diff", "store").output
    run = lab.run("reset", "store")
    assert run.status == 0, run
    assert path.read_text() == fresh
    assert [p for p in path.parent.glob("flask_app.py.bak-*") if "pass  # mine" in p.read_text()]
    assert "Nothing" in lab.run("diff").output


def test_words_cards_and_tasks_have_own_values(lab: Any) -> None:
    lab.run("generate", *ADA)
    port = re.search(r"port +(\d+)", lab.run("generate", *ADA).output)
    assert port is not None
    assert port[1] in lab.run("what", "security", "group").output
    assert port[1] in lab.run("card", "security-group").output
    task = lab.run("gap", "server-door").output
    assert "Must hold" in task
    assert "The check will" in task
    assert lab.run("what", "no-such-word").status == 2
    assert "Gap 3 of 10" in lab.run("gap", "server-d").output


@pytest.mark.verify
def test_everything_that_is_looked_up_fits_80_columns(lab: Any) -> None:
    lab.run("generate", *ADA)
    manifest = load(_image().parent.parent)
    texts = Texts(manifest)
    asked = [("gap",), ("what",), ("card",), ("diff",), ()]
    asked += [("gap", gap.name) for gap in manifest.gaps] + [("hint", gap.name) for gap in manifest.gaps] * 3
    asked += [("card", card.name) for card in texts.cards] + [("what", term.name) for term in texts.terms]
    for words in asked:
        run = lab.run(*words, "--plain")
        assert run.status == 0, run
        copied_whole = ("https://", str(lab.base))  # an address, a folder
        wide = [n for n in run.output.splitlines() if len(n) > 80 and not any(w in n for w in copied_whole)]
        assert wide == [], words


def test_another_id_and_a_step_out_of_order(lab: Any) -> None:
    lab.run("generate", *ADA)
    other = lab.run("generate", "--student", "bob@uni.edu", "--plain")
    assert "Until now you were ada@uni.edu" in other.output
    assert "./lab generate --student ada@uni.edu" in other.output
    assert "Until now" not in lab.run("generate", "--student", "bob@uni.edu").output
    assert "Do step 03 first:  ./lab deploy" in screen(lab, "wire")


@pytest.mark.verify
def test_the_reference_in_place_of_own_files_is_told(lab: Any) -> None:
    """Both deploy under the same names: what runs is the other's until one deploys again."""
    lab.run("generate", *ADA)
    assert lab.run("deploy").status == 0
    other = lab.run("generate", *SOLUTION, "--plain").output
    assert "./lab deploy replaces it" in " ".join(other.split())
    assert "    ./lab generate --student ada@uni.edu\n" in other
    assert lab.run("deploy").status == 0
    lab.run("generate", *ADA)
    for words in (("wire",), ("deploy", "--check")):
        said = " ".join(lab.run(*words, "--plain").output.split())
        assert "was deployed from work/ada@uni.edu.solution/" in said
        assert "To deploy your files: ./lab deploy" in said
        assert "Changed by hand" not in said
    assert lab.run("deploy").status == 0
    assert "was deployed from" not in lab.run("wire").output
    assert "was deployed from work/ada@uni.edu/" in " ".join(lab.run("wire", *SOLUTION).output.split())


@pytest.mark.verify
def test_an_edited_template_is_told_when_a_check_fails(lab: Any) -> None:
    """A copy of the kit of its own, because its templates are edited."""
    copy = lab.base / "kit"
    _copy_of_the_kit(copy)
    run = functools.partial(_in_copy, copy, lab.base)
    assert run("generate", *ADA)[0] == 0
    edit(copy / "templates" / "app" / "flask_app.py", 'version="1.0"', 'version="1.1"')
    status, said = run("plan", "--plain")
    assert status == 1
    assert "templates/app/flask_app.py has changed since your flask_app.py was made" in said
    assert "work/ada@uni.edu/flask_app.py counts" in said
    assert run("update")[0] == 0
    assert "has changed since" not in run("plan", "--plain")[1]


def _copy_of_the_kit(folder: Path) -> None:
    root = _image().parent.parent
    for name in ("labkit", "templates", "texts", "images", "grader"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("lab.toml", "STEPS.md"):
        shutil.copy(root / name, folder)


def _in_copy(copy: Path, base: Path, *arguments: str) -> tuple[int, str]:
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(copy),
        "HOME": str(base),
        "LAB_BASE": str(base),
    }
    done = subprocess.run(
        [sys.executable, "-m", "labkit", *arguments],
        cwd=copy,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, " ".join(done.stdout.split()) + done.stderr


@pytest.mark.verify
def test_an_interface_that_aws_has_not_released(lab: Any) -> None:
    """What AWS keeps for a while after a function in a network is deleted stands in a network that is tagged."""
    lab.run("generate", *ADA)
    lab.run("cloud", "start")
    variant = json.loads((lab.workspace("ada@uni.edu") / ".lab" / "workspace.json").read_text())["code"]
    ec2 = Clients(lab.target("ap-south-1")).client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "lab:variant", "Value": variant}])
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    ec2.create_network_interface(SubnetId=subnet)
    shown = " ".join(" ".join(message(screen(lab, "destroy", "--check"))).split())
    for words in (
        "still there: network interface",
        "within 45 min",
        "costs nothing",
        "Safe to close the laptop",
        "./lab destroy",
    ):
        assert words in shown, shown
    assert lab.run("destroy").status == 0, "here AWS lets go at once"


def test_a_slip_in_the_shell_is_an_error_and_no_bill(deployed_solution: Any) -> None:
    """Whoever takes the variables away still asks the local cloud, with keys that are nobody's anywhere else."""
    shell = deployed_solution.base / "slip"
    shell.write_text('#!/bin/sh\nenv | grep ^AWS_\nenv | grep -E "^(PS1|PROMPT)="\n')
    shell.chmod(0o755)
    run = deployed_solution.with_variables(
        SHELL=str(shell), AWS_PROFILE="work", AWS_ACCESS_KEY_ID="AKIAREAL", AWS_SECRET_ACCESS_KEY="real"
    ).run("shell")
    values = dict(line.partition("=")[::2] for line in run.output.splitlines() if "=" in line)
    assert values["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(values)
    assert "AKIAREAL" not in run.output
    assert "real" not in (values["AWS_SECRET_ACCESS_KEY"], values.get("AWS_ACCESS_KEY_ID"))
    assert values["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull, "none of the user's own files"
    assert Path(values["AWS_CONFIG_FILE"]).is_relative_to(deployed_solution.base)
    config = configparser.ConfigParser()
    assert config.read(values["AWS_CONFIG_FILE"])
    assert config.sections() == ["default"]
    assert config["default"]["endpoint_url"] == values["AWS_ENDPOINT_URL"]
    assert config["default"]["aws_secret_access_key"] == values["AWS_SECRET_ACCESS_KEY"]
    assert "local cloud" in values["PS1"]
    assert "local cloud" in values["PROMPT"]


@pytest.mark.verify
def test_saving_a_file_deploys_and_checks_again(deployed_solution: Any, mine: Path, restored: None) -> None:
    process = deployed_solution.start("wire", *SOLUTION, "--watch", "--json")
    try:
        events = (json.loads(line).get("event", {}) for line in process.stdout)
        next(e for e in events if e.get("name") == "hop 6 of 7, health")
        edit(mine / "flask_app.py", 'version="1.0"', 'version="1.1"')
        seen = [
            e["text"] for e in itertools.takewhile(lambda e: e.get("name") != "hop 6 of 7, health", events)
        ]
        assert "your deployment is complete" in " ".join(seen)
    finally:
        process.terminate()
        process.communicate(timeout=20)


# ---- Steps 06, 07, 11 ---------------------------------------------------------------------------------


def test_a_fault_is_found_shown_and_repaired(deployed_solution: Any) -> None:
    begun = deployed_solution.run("break", *SOLUTION, "--fault", "service-stopped", "--json")
    assert begun.status == 1, begun
    assert "status 504 after 0." in begun.result["facts"]["health"]
    assert "Find the hop by hand" in screen(deployed_solution, "wire", *SOLUTION)
    with opened(deployed_solution) as url:
        page = urllib3.request("GET", url).data.decode()
        assert "the path is yours to find" in page
        assert "stops here" not in page
        assert "refused at once" not in page
    wrong = deployed_solution.run(
        "break", *SOLUTION, "--hop", "door", "--evidence", "inactive (dead)", "--json"
    )
    assert "hop door is wrong" in wrong.result["checks"][0]["reason"]
    assert "Which of the four symptoms" in " ".join(deployed_solution.run("hint").output.split())
    right = deployed_solution.run("break", *SOLUTION, "--hop", "health", "--json")
    assert "Now repair it" in right.result["checks"][0]["reason"]
    deployed_solution.run("shell", "server", "--", "systemctl", "start", "flask-app")
    repaired = deployed_solution.run("break", *SOLUTION, "--json")
    assert "found, shown and repaired: service-stopped" in next(
        c["name"] for c in repaired.result["checks"] if c["passed"]
    )
    judged = deployed_solution.run("grade", *SOLUTION, "--only", "fault-1", "--plain").output
    assert "not handed in" not in judged, "the self-check sees what the pack would hold"
    while deployed_solution.run("break", *SOLUTION, "--undo").status:
        pass  # the student's own two are taken back
    assert deployed_solution.run("wire", *SOLUTION).status == 0


@pytest.mark.verify
@pytest.mark.parametrize(
    "name",
    [
        "rule-revoked",
        "route-gone",
        "no-concurrency",
        "not-enabled",
        "table-renamed",
        "explicit-deny",
        "key-type",
    ],
)
def test_every_fault_shows_and_can_be_taken_back(deployed_solution: Any, name: str) -> None:
    begun = deployed_solution.run("break", *SOLUTION, "--fault", name, "--json")
    shown = " ".join(begun.result["facts"].values())
    assert "status 200" not in begun.result["facts"]["an image"], shown
    deployed_solution.run("break", *SOLUTION, "--undo")
    while deployed_solution.run("break", *SOLUTION, "--undo").status:
        pass
    assert deployed_solution.run("process", *SOLUTION).status == 0


@pytest.mark.verify
def test_the_attack_on_ones_own_lab_is_refused_everywhere(deployed_solution: Any) -> None:
    run = deployed_solution.run("break", *SOLUTION, "--attack", "nnnnnnnn", "--json")
    assert run.status == 0, run
    assert len(run.result["checks"]) == 8
    assert deployed_solution.run("break", *SOLUTION, "--attack", "maybe").status == 2


def test_measuring_and_packing(deployed_solution: Any, mine: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = deployed_solution.run(
        "measure", *SOLUTION, "--rate", "20", "--seconds", "1", "--expect", "20", "--json"
    )
    assert run.status == 0, run
    measured = json.loads((mine / "measurements" / "measurement.json").read_text())
    assert len(measured["requests"]) == 20
    assert measured["success_rate"] == 1.0
    packed = deployed_solution.run("submit", *SOLUTION, "--json")
    assert packed.status == 1, "nothing is destroyed yet, and no question is answered"
    pack = mine.parent / packed.result["pack"]
    with zipfile.ZipFile(pack) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    taken = take_in(pack, tmp_path / "taken")
    wanted = {"flask_app.py", "cloudformation-template.yaml", "measurements/measurement.json"}
    assert wanted <= set(manifest["files"])
    assert wanted <= set(taken.files), "where the grader looks for them"


@pytest.mark.verify
def test_as_far_away_as_aws_and_cold(deployed_solution: Any, mine: Path) -> None:
    """Declared delays show where they belong, end with the run, and another run is laid beside."""
    kept = mine / "measurements"
    judged = (kept / "measurement.json").read_text()
    like = ("measure", *SOLUTION, "--rate", "10", "--seconds", "1.5", "--like", "AWS", "--json")
    slow = deployed_solution.run(*like)
    assert slow.status == 0, slow
    layers = json.loads((kept / "rate-10-like-aws.json").read_text())["layers"]
    assert layers["server"]["minimum"] > 100, "the image's host, S3 and DynamoDB"
    assert layers["lambda alone"]["minimum"] > 40, "the way to the region"
    there = str(kept / "rate-10-like-aws.json")
    cold = deployed_solution.run(
        "measure", *SOLUTION, "--cold", "--seconds", "1", "--compare", there, "--json"
    )
    assert cold.status == 0, cold
    value = json.loads((kept / "cold.json").read_text())
    assert value["cold_starts"]["count"] == len(value["requests"])
    assert value["layers"]["server"]["minimum"] < 150, "the delays are over"
    assert (kept / "measurement.json").read_text() == judged, (
        "the mark is about what was measured here and warm"
    )
    assert "like AWS" in cold.result["facts"]["beside it"]
    assert deployed_solution.run("deploy", *SOLUTION, "--check").status == 0
    assert "drift" not in json.dumps(deployed_solution.run("plan", *SOLUTION, "--json").events)


def _image() -> Path:
    import labkit

    return Path(labkit.__file__).parent.parent / "images" / "hills.jpg"
