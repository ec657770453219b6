"""Mutants of the reference: each is the reference with one change, the same in every run, and no two are the same."""

import ast
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

import labkit
from labkit.base.errors import ManifestError
from labkit.dev.mutants import (
    allowed,
    configuration,
    grading,
    programs,
    script,
    vocabulary,
    yaml_tree,
)
from labkit.dev.mutants.catalogue import mutants_of
from labkit.dev.mutants.model import Mutant, mutant_of, removal, with_change
from labkit.dev.mutants.sampling import sample
from labkit.dev.mutants.verdicts import defects, outcome_of
from labkit.grading.intake import hcl

ROOT = Path(labkit.__file__).resolve().parent.parent
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: fewer would mean that an operator has gone blind
AT_LEAST = {
    "cloudformation-template.yaml": 700, "main.tf": 350, "variables.tf": 80, "outputs.tf": 20, "flask_app.py": 400,
    "lambda_function.py": 180, "flask_server_startup.sh": 200,
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return grading.submission(ROOT)


@pytest.fixture(scope="module")
def mutants(files: dict[str, str]) -> tuple[Mutant, ...]:
    return mutants_of(files)


def texts(name: str, text: str) -> set[str]:
    """What the mutants of one small file say."""
    return {mutant.applied({name: text})[name] for mutant in mutants_of({name: text})}


def test_every_file_and_operator_has_mutants(mutants: tuple[Mutant, ...]) -> None:
    counts = Counter(mutant.file for mutant in mutants)
    assert set(counts) == set(AT_LEAST)
    assert all(counts[name] >= least for name, least in AT_LEAST.items()), counts


def test_each_changes_one_file_and_no_two_are_the_same(
    files: dict[str, str], mutants: tuple[Mutant, ...]
) -> None:
    results = set()
    for mutant in mutants:
        changed = {name: text for name, text in mutant.applied(files).items() if text != files[name]}
        assert list(changed) == [mutant.file], mutant.id
        results.add((mutant.file, changed[mutant.file]))
    assert len(results) == len(mutants) == len({mutant.id for mutant in mutants})


def test_the_same_files_have_the_same_mutants(files: dict[str, str], mutants: tuple[Mutant, ...]) -> None:
    assert mutants_of(dict(reversed(files.items()))) == mutants


@pytest.mark.slow
def test_each_can_be_read(files: dict[str, str], mutants: tuple[Mutant, ...]) -> None:
    """One that no engine can read says nothing about the checks behind the first. Some of each kind."""
    for mutant in sample(mutants, 300, 1):
        text = mutant.applied(files)[mutant.file]
        if mutant.file.endswith(".py"):
            ast.parse(text)
        elif mutant.file.endswith(".yaml"):
            assert isinstance(yaml.compose(text, Loader=_YAML), yaml.MappingNode), mutant.id
        elif mutant.file.endswith(".tf"):
            hcl.read(text)


def test_a_mutant_is_shown_as_a_diff(files: dict[str, str], mutants: tuple[Mutant, ...]) -> None:
    mutant = next(each for each in mutants if each.id.startswith("port-widened:main.tf"))
    shown = mutant.diff(files)
    assert shown[0].startswith("@@ ")
    assert [line for line in shown if line[0] in "+-"] == [
        "-  from_port                    = var.port", "+  from_port                    = 0",
    ]  # fmt: skip


# ---- Operators, on small texts -------------------------------------------------------------------------

TEMPLATE = """\
Resources:
  Door:
    Type: AWS::EC2::SecurityGroupIngress
    DependsOn: [Group, Other]
    Properties:
      # kept
      FromPort: !Ref Port
      SourceSecurityGroupId: !Ref Group  # kept, too
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      Rules:
        - Cidr: 10.0.0.0/16
          Open: true
  Other:
    Type: AWS::EC2::SecurityGroup
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("      FromPort: !Ref Port\n", ""),
        ("FromPort: !Ref Port", "FromPort: 0"),
        ("    DependsOn: [Group, Other]\n", ""),
        ("[Group, Other]", "[Other]"),
        ("[Group, Other]", "[Group]"),
        ("SourceSecurityGroupId: !Ref Group", "CidrIp: 0.0.0.0/0"),
        ("SourceSecurityGroupId: !Ref Group", "SourceSecurityGroupId: !Ref Other"),
        ("- Cidr: 10.0.0.0/16\n          Open", "- Open"),
        ("          Open: true\n", ""),
        ("Open: true", "Open: false"),
        ("10.0.0.0/16", "10.1.0.0/16"),
        ("10.0.0.0/16", "10.0.0.0/17"),
        ("  Other:\n    Type: AWS::EC2::SecurityGroup\n", ""),
    ],
)
def test_operators_on_a_template(before: str, after: str) -> None:
    assert TEMPLATE.count(before) >= 1
    tree = yaml_tree.read(TEMPLATE)
    made = {
        with_change(TEMPLATE, change) for change in configuration.changes(tree, vocabulary.CLOUDFORMATION)
    }
    assert any(TEMPLATE.replace(before, after, 1) == text for text in made) or (
        TEMPLATE[::-1].replace(before[::-1], after[::-1], 1)[::-1] in made
    )


POLICY = """\
resource "aws_iam_role_policy" "server" {
  role = aws_iam_role.server[0].id

  policy = jsonencode({
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem"]
        Resource = "${aws_s3_bucket.images.arn}/${var.object_prefix}/*"
      },
      { Effect = "Allow", Action = "s3:PutObject", Resource = "*" },
    ]
  })
}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('Effect   = "Allow"', 'Effect   = "Deny"'),
        ('      { Effect = "Allow", Action = "s3:PutObject", Resource = "*" },\n', ""),
        ('Action = "s3:PutObject", ', ""),
        ('"s3:PutObject"', '"s3:*"'),
        ('"s3:PutObject"', '["s3:PutObject", "s3:GetObject"]'),
        ('["dynamodb:PutItem"]', '["dynamodb:PutItem", "dynamodb:DeleteItem"]'),
        ('"dynamodb:PutItem"', '"dynamodb:GetItem"'),
        ("/${var.object_prefix}/*", "/*"),
        ('"${aws_s3_bucket.images.arn}/${var.object_prefix}/*"', '"*"'),
        ('        Action   = ["dynamodb:PutItem"]\n', ""),
        (POLICY, ""),
    ],
)
def test_operators_on_terraform(before: str, after: str) -> None:
    assert before in POLICY
    assert POLICY.replace(before, after, 1) in texts("main.tf", POLICY)


PROGRAM = '''\
"""Words."""

LIMIT_SECONDS = 5


@app.errorhandler(Trouble)
def act(url, image):
    """Words."""
    if url is not None and image != 3:
        first = call(url, timeout=5)
        second = {"a": 1, "b": f"{url}/x"}
        return first, second
    try:
        store(image.strip())
    except (OSError, ValueError):
        raise
    return 400
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("is not None", "is None"),
        ("image != 3", "image == 3"),
        (" and ", " or "),
        ("url is not None and image != 3", "image != 3"),
        ("url is not None and image != 3", "(not (url is not None and image != 3))"),
        ("LIMIT_SECONDS = 5", "LIMIT_SECONDS = 50"),
        (", timeout=5", ""),
        ('"a": 1, ', ""),
        (', "b": f"{url}/x"', ""),
        ('/x"', '/xx"'),
        (
            'first = call(url, timeout=5)\n        second = {"a": 1, "b": f"{url}/x"}',
            'second = {"a": 1, "b": f"{url}/x"}\n        first = call(url, timeout=5)',
        ),
        ("store(image.strip())", "pass"),
        ("image.strip()", "image"),
        ("(OSError, ValueError)", "Exception"),
        ("OSError, ", ""),
        ("return 400", "return None"),
        ("return 400", "return 500"),
        ("@app.errorhandler(Trouble)\n", ""),
    ],
)
def test_operators_on_a_program(before: str, after: str) -> None:
    assert before in PROGRAM
    made = {ast.dump(ast.parse(with_change(PROGRAM, change))) for change in programs.changes(PROGRAM)}
    assert ast.dump(ast.parse(PROGRAM.replace(before, after, 1))) in made


def test_columns_are_counted_in_letters() -> None:
    text = 'name = "äöü" if ready == 1 else 2\n'
    assert 'name = "äöü" if ready != 1 else 2\n' in texts("x.py", text)


BOOT = """\
#!/bin/bash
# words
dnf install -y python3.11 python3.11-pip
cat > /etc/systemd/system/flask-app.service <<UNIT
[Service]
User=ec2-user
Environment=PORT=$PORT
ExecStart=/usr/bin/python3.11 -m waitress --listen=0.0.0.0:$PORT --threads=12 flask_app:app
Restart=always
RestartSec=1
UNIT
systemctl enable --now flask-app
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Restart=always\n", ""),
        ("Restart=always", "Restart=no"),
        ("User=ec2-user", "User=root"),
        ("RestartSec=1", "RestartSec=60"),
        ("Environment=PORT=$PORT\n", ""),
        ("Environment=PORT=", "Environment=PORT_X="),
        ("flask_app:app\n", "flask_app:app\nType=notify\n"),
        (" --threads=12", ""),
        (" --now", ""),
        (" python3.11-pip", ""),
        ("<<UNIT", "<<'UNIT'"),
        ("0.0.0.0", "127.0.0.1"),
        ("#!/bin/bash\n", ""),
        ("Restart=always\nRestartSec=1", "RestartSec=1\nRestart=always"),
    ],
)
def test_operators_on_the_boot_script(before: str, after: str) -> None:
    assert before in BOOT
    assert BOOT.replace(before, after, 1) in {with_change(BOOT, change) for change in script.changes(BOOT)}


def test_comments_of_a_script_are_left_alone(files: dict[str, str]) -> None:
    for change in script.changes(BOOT):
        assert "# words" in with_change(BOOT, change)


@pytest.mark.parametrize(
    ("text", "element", "left"),
    [
        ("[a, b]", "a", "[b]"),
        ("[a, b]", "b", "[a]"),
        ("[a]", "a", "[]"),
        ("  - a\n  - b\n", "a", "  - b\n"),
        ("x = 1\ny = 2\n", "y = 2", "x = 1\n"),
        ("[\n  a,\n  b,\n]", "b", "[\n  a,\n]"),
    ],
)
def test_removal_leaves_nothing_of_an_element(text: str, element: str, left: str) -> None:
    start = text.index(element)
    cut = removal(text, start, start + len(element))
    assert text[: cut[0]] + text[cut[1] :] == left


@pytest.mark.processes
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_terraform_reads_the_mutants_as_we_do(
    files: Mapping[str, str], mutants: tuple[Mutant, ...], tmp_path: Path
) -> None:
    """`terraform fmt` reads syntax only; a handful, since each is a process."""
    chosen = [each for each in sample(mutants, 400, 1) if each.engine == "terraform"][:12]
    for number, mutant in enumerate(chosen):
        (tmp_path / f"{number}.tf").write_text(mutant.applied(files)[mutant.file])
    run = subprocess.run(
        ["terraform", "fmt", "-list=false", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr


# ---- Sampling -------------------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_the_same_seed(mutants: tuple[Mutant, ...]) -> None:
    assert sample(mutants, 50, 7) == sample(mutants, 50, 7)
    assert sample(mutants, 50, 7) != sample(mutants, 50, 8)


def test_a_larger_sample_holds_the_smaller_one(mutants: tuple[Mutant, ...]) -> None:
    small, large = sample(mutants, 30, 7), sample(mutants, 90, 7)
    assert len(small) == 30
    assert set(small) <= set(large)


def test_two_hundred_hold_every_file_and_most_operators(mutants: tuple[Mutant, ...]) -> None:
    chosen = sample(mutants, 200, 11)
    assert {mutant.file for mutant in chosen} == set(AT_LEAST)
    operators = {mutant.operator for mutant in mutants}
    assert len({mutant.operator for mutant in chosen}) > 0.9 * len(operators)
    assert max(Counter(mutant.operator for mutant in chosen).values()) < 50


def test_a_sample_larger_than_all_is_all(mutants: tuple[Mutant, ...]) -> None:
    assert sample(mutants, 10**6, 1) == list(mutants)


# ---- The list of those that may lose nothing ---------------------------------------------------------------


def test_every_entry_speaks_of_a_mutant(mutants: tuple[Mutant, ...]) -> None:
    for entry in allowed.load():
        assert any(entry.fits(mutant) for mutant in mutants), entry


def test_an_entry_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "allowed.toml"
    for text in ('[[mutant]]\noperator = "x"\n', '[[mutant]]\nwhy = "x"\nline = "3"\n'):
        path.write_text(text)
        with pytest.raises(ManifestError):
            allowed.load(path)


def test_what_a_grading_means() -> None:
    change = next(iter(script.changes("#!/bin/bash\n")))
    mutant = mutant_of("boot.sh", "#!/bin/bash\n", change)
    entry = allowed.Entry(("line-*",), ("*",), ("#!*",), ("*",), "because")

    def kind(lost: dict[str, float], not_judged: dict[str, str], *entries: allowed.Entry) -> str:
        return outcome_of(mutant, grading.Graded(lost, {}, not_judged, 1.0), entries).kind

    assert kind({}, {}) == "survived"
    assert kind({}, {}, entry) == "allowed"
    assert kind({"deploys": 2.0}, {}) == "killed"
    assert kind({"deploys": 2.0}, {"path-image": "trouble"}, entry) == "not judged"
    outcomes = [outcome_of(mutant, grading.Graded({}, {}, {}, 1.0), entries) for entries in ((), (entry,))]
    assert [each.kind for each in defects(outcomes)] == ["survived"]
