"""The lesson's texts: complete, chosen by the failing check, and never the solution's words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import UsageError
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.lesson.handing_in.secrecy import runs
from labkit.lesson.help.texts import Texts, fill

ROOT = Path(labkit.__file__).parent.parent
TEXTS = Texts(load(ROOT))
GAPS = [gap.name for gap in TEXTS.manifest.gaps]


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, ...]]:
    """Runs of tokens that stand in the solution's files and not in the starter's."""
    workspaces = Workspaces(tmp_path_factory.mktemp("lab"), TEXTS.manifest)
    own, given = set(), set()
    for solution in (True, False):
        workspace = workspaces.generate("ada@uni.edu", solution=solution).workspace
        found = {run for data in workspace.files().values() for run in runs(data.decode())}
        (own if solution else given).update(found)
    sources = (p for p in (ROOT / "solution").rglob("*") if p.is_file())
    return (own | {run for path in sources for run in runs(path.read_text())}) - given


def texts() -> Iterator[tuple[str, str]]:
    for hint in TEXTS.hints:
        for number, tier in enumerate(hint.tiers, 1):
            yield f"hint {hint.gap}/{hint.symptom} {number}", tier
    for card in TEXTS.cards:
        yield f"card {card.name}", " ".join([card.says, *card.arguments.values()])
    for term in TEXTS.terms:
        yield f"term {term.name}", f"{term.says} {term.own} {term.unlike}"
    for gap in TEXTS.manifest.gaps:
        yield f"gap {gap.name}", " ".join([gap.fails, *gap.holds, *gap.tries])


@pytest.mark.parametrize(("name", "text"), list(texts()), ids=lambda value: value[:40])
def test_no_text_gives_the_solution_away(name: str, text: str, secret: set[tuple[str, ...]]) -> None:
    shared = runs(fill(text, {})) & secret
    assert not shared, f"{name} says {' '.join(next(iter(shared)))}"


def test_the_comparison_would_find_a_copied_line(secret: set[tuple[str, ...]]) -> None:
    line = "from_port = var.port to_port = var.port referenced_security_group_id = aws_security_group.function.id"
    assert runs(line) & secret


@pytest.mark.parametrize("gap", GAPS)
def test_every_gap_has_a_hint_for_any_symptom(gap: str) -> None:
    hint = TEXTS.hint(gap, "a symptom that nobody thought of")
    assert hint is not None
    assert hint.symptom == ""
    assert all(len(tier.strip()) > 40 for tier in hint.tiers)


def test_every_hint_is_a_gaps_has_three_tiers_and_stands_once() -> None:
    assert {hint.gap for hint in TEXTS.hints} - {""} <= {gap.name for gap in TEXTS.manifest.gaps}
    assert all(len(hint.tiers) == 3 and all(tier.strip() for tier in hint.tiers) for hint in TEXTS.hints)
    places = [(hint.gap, hint.symptom) for hint in TEXTS.hints]
    assert len(places) == len(set(places))


def test_a_hint_is_chosen_by_its_symptom() -> None:
    hint = TEXTS.hint("lambda-network", "address")
    assert hint is not None
    assert hint.symptom == "address"


@pytest.mark.parametrize("gap", TEXTS.manifest.gaps, ids=lambda gap: gap.name)
def test_every_gap_says_what_is_tried_and_has_its_cards(gap) -> None:
    assert gap.tries
    assert [TEXTS.card(card).name for card in gap.cards] == list(gap.cards)


def test_about_forty_terms_each_with_own_value_and_opposite() -> None:
    assert len(TEXTS.terms) >= 40
    for term in TEXTS.terms:
        assert term.own, term.name
        assert term.unlike, term.name
        assert len(re.findall(r"[.;]( |$)", term.says)) <= 2, f"{term.name}: one sentence"


def test_a_word_is_found_however_it_is_typed() -> None:
    for word in ("Security Group", "security-groups", "sg", "DOOR", "vpc"):
        assert TEXTS.term(word).says
    assert TEXTS.card("AWS::S3::BucketPolicy").name == "bucket-policy"


def test_an_unknown_word_names_its_neighbours() -> None:
    with pytest.raises(UsageError) as error:
        TEXTS.term("securty grup")
    assert "security group" in error.value.hint


def test_values_are_filled_in_and_what_is_not_known_yet_is_named() -> None:
    assert (
        fill("port {port}, address {instance_private_ip}", {"port": "5760"})
        == "port 5760, address <instance_private_ip>"
    )
    assert fill('{"image_url": "x"}', {}) == '{"image_url": "x"}'


def test_the_values_that_texts_ask_for_exist() -> None:
    from labkit.course.variant import make_variant
    from labkit.deploy.model import OUTPUTS

    outputs = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_") for name in OUTPUTS}
    known = {*make_variant("salt", "ada@uni.edu").values(), *outputs, "region"}
    for name, text in texts():
        if not name.startswith("hint"):
            assert set(re.findall(r"\{([a-z_]+)\}", text)) <= known, name


#: AWS's, Terraform's and the network's words that a document about this lab may use
VOCABULARY = (
    "VPC", "EC2", "S3", "DynamoDB", "Lambda", "CloudFormation", "Terraform", "IAM", "security group", "subnet", "route",
    "network interface", "role", "policy", "log group", "stack", "ARN", "network ACL", "cold start", "drift", "time-out",
    "refused", "request id", "Init Duration", "user data", "boot script", "AccessDenied", "plan", "replace", "output",
    "IMDSv1", "metadata service", "systemd", "journal", "p95", "port", "hop", "door", "instance", "region", "rollback",
)  # fmt: skip


@pytest.mark.parametrize("word", VOCABULARY)
def test_every_word_of_the_document_is_in_the_glossary(word: str) -> None:
    if re.search(rf"(?i)\b{re.escape(word)}s?\b", (ROOT / "STEPS.md").read_text()):
        assert TEXTS.term(word).says
