"""What a gap's text may hold: what belongs there in any form, and nothing that reaches outside."""

import pytest

import labkit
from labkit.course import manifest
from labkit.course.markers import bodies, with_bodies
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading.systems.gaps import NoSuchText, mixed
from labkit.grading.systems.places import misplaced

ROOT = manifest.load(manifest.Path(labkit.__file__).resolve().parent.parent).root
LAB = manifest.load(ROOT)
REFERENCE = Renderer(LAB.root, LAB.files).render(
    make_variant(LAB.salt, "ada@uni.edu").values(), solution=True
)
STARTER = Renderer(LAB.root, LAB.files).render(make_variant(LAB.salt, "ada@uni.edu").values())
YAML, HCL, FLASK, LAMBDA, BOOT = (
    *("cloudformation-template.yaml", "main.tf", "flask_app.py", "lambda_function.py"),
    "flask_server_startup.sh",
)


def why(file: str, gap: str, body: str) -> str:
    return misplaced(file, REFERENCE[file], gap, body, LAB.gap(gap).resources)


def own(file: str, gap: str) -> str:
    return bodies(REFERENCE[file])[gap]


PLACES = [(file, gap) for file, text in REFERENCE.items() for gap in bodies(text)]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "gap"), PLACES)
def test_references_starters_and_empty_texts_belong(file: str, gap: str) -> None:
    for body in (
        own(file, gap),
        bodies(STARTER[file])[gap],
        "",
        "    # nothing yet\n",
        own(file, gap) + "\n\n",
    ):
        assert why(file, gap, body) == ""


BELONG: dict[str, tuple[str, str, str]] = {
    "a managed policy beside the role": (
        YAML, "server-policy",
        "\n  ServerPolicy:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      Roles: [!Ref ServerRole]\n"
        "      PolicyDocument: {Statement: []}\n",
    ),
    "attached by its ARN": (YAML, "server-policy", "      ManagedPolicyArns:\n        - !Ref Somewhere\n"),
    "anchors of its own": (
        YAML, "server-policy",
        "      Policies:\n        - &one {PolicyName: a, PolicyDocument: {Statement: []}}\n        - *one\n",
    ),
    "in flow style": (YAML, "server-door", "      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 1, ToPort: 1}]\n"),
    "a policy document as data": (
        HCL, "server-policy",
        'data "aws_iam_policy_document" "p" {\n}\nresource "aws_iam_role_policy" "server" {\n  policy = '
        "data.aws_iam_policy_document.p.json\n}\n",
    ),
    "the older kind of rule": (HCL, "server-door", 'resource "aws_security_group_rule" "server" {\n  type = "ingress"\n}\n'),
    "a helper inside the function": (FLASK, "store", "    def put():\n        return 1\n    put()\n"),
    "a long string": (FLASK, "store", '    note = """\nat the margin\n"""\n    print(note)\n'),
    "another here-document": (
        BOOT, "unit",
        "cat > /etc/x <<'A' && cat > /etc/y <<-B\none \" two\nA\n\tthree ' four\n\tB\nsystemctl enable --now flask-app\n",
    ),
    "a here-string and an escaped quote": (BOOT, "unit", "cat <<< \"$PORT\"\necho it\\'s # isn't it\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", BELONG)
def test_what_belongs_may_stand_there_in_any_form(name: str) -> None:
    assert why(*BELONG[name]) == ""


NETWORK = own(YAML, "lambda-network")
CALL = "    response = 1\n"
REACHING: dict[str, tuple[str, str, str, str]] = {
    "new resources": (YAML, "lambda-network", NETWORK + "\n  Wide:\n    Type: AWS::EC2::SecurityGroupIngress\n", "adds Wide"),
    "a resource without a type": (YAML, "server-policy", "\n  Thing: {}\n", "adds Thing"),
    "a new section": (YAML, "lambda-network", NETWORK + "\nMappings:\n  A: {}\n", "adds Mappings"),
    "a section again": (YAML, "lambda-network", NETWORK + "\nResources:\n  A: {}\n", "outside"),
    "a property set twice": (YAML, "lambda-network", NETWORK + "      Role: !Ref Another\n", "outside"),
    "an output": (YAML, "lambda-network", NETWORK + "\nOutputs:\n  A: {}\n", "outside"),
    "out of the properties": (YAML, "server-policy", "    DependsOn: ServerGroup\n", "adds DependsOn"),
    "a resource in the middle of another": (
        YAML, "server-door",
        "\n  Door:\n    Type: AWS::EC2::SecurityGroupIngress\n    Properties:\n      IpProtocol: tcp\n",
        "outside",
    ),
    "a second document": (YAML, "lambda-network", NETWORK + "---\nResources: {}\n", "can't be read"),
    "an anchor from outside": (YAML, "server-policy", "      Policies: *elsewhere\n", "can't be read"),
    "a merge": (YAML, "lambda-network", NETWORK + "      <<: {Role: !Ref Another}\n", "outside"),
    "a quotation that goes on": (YAML, "server-door", '      Description: "\n', "can't be read"),
    "a block scalar that goes on": (YAML, "server-door", "      Description: |\n     x\n", "can't be read"),
    "a brace that opens another block": (
        HCL, "lambda-network", own(HCL, "lambda-network") + '}\n\nresource "aws_iam_user" "x" {\n', "outside",
    ),
    "a comment that goes on": (HCL, "lambda-network", "/*\n", "can't be read"),
    "a here-document that goes on": (HCL, "server-door", "locals {\n x = <<EOT\n", "can't be read"),
    "another kind of resource": (HCL, "server-door", 'resource "aws_iam_role_policy" "x" {\n}\n', "adds resource aws_iam_role_policy"),
    "a provider": (HCL, "server-door", 'provider "aws" {\n}\n', "adds provider aws"),
    "something to forget": (HCL, "server-policy", "removed {\n  from = aws_iam_role.server\n}\n", "adds removed"),
    "an argument set twice": (HCL, "lambda-network", "  role = aws_iam_role.server[0].arn\n", "outside"),
    "a new function": (LAMBDA, "lambda-call", CALL + "\n\ndef result_of(response):\n    return {}\n", "adds result_of"),
    "a name for the module": (FLASK, "store", "    pass\n\nMAX_BYTES = 1\n", "adds a statement"),
    "a string that goes on": (FLASK, "store", '    """\n', "can't be read"),
    "a decorator of what follows": (FLASK, "download", "    pass\n\n\n@app.route('/x')\n", "outside"),
    "a condition before the gap": (FLASK, "download", "        return b''\n", "elsewhere"),
    "no Python": (LAMBDA, "lambda-answers", "    return answer(400\n", "can't be read"),
    "a null byte": (LAMBDA, "lambda-answers", "    x = '\0'\n", "can't be read"),
    "very deep": (LAMBDA, "lambda-answers", "    x = " + "(" * 3000 + ")" * 3000 + "\n", "can't be read"),
    "a script's here-document that goes on": (BOOT, "unit", "cat > /dev/null <<EOF\n", "never ends"),
    "a here-document whose mark is quoted": (BOOT, "unit", "cat > /dev/null <<'E F'\nE\n", "never ends"),
    "a script's quotation that goes on": (BOOT, "unit", "echo 'it\n", "never closed"),
    "a line that goes on": (BOOT, "unit", "echo \\\n", "goes on"),
    "the second of two here-documents": (BOOT, "unit", "cat <<A <<B\nA\n", "never ends"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHING)
def test_what_reaches_outside_is_not_used_alone(name: str) -> None:
    file, gap, body, words = REACHING[name]
    assert words in why(file, gap, body)
    student = {**REFERENCE, file: with_bodies(REFERENCE[file], {gap: body})}
    with pytest.raises(NoSuchText, match="judged as submitted only"):
        mixed(student, REFERENCE, [gap], {gap: LAB.gap(gap).resources})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("# <<< gap store\n", ""),
        lambda text: text.replace("# <<< gap store\n", "# <<< gap store\n    # <<< gap store\n"),
        lambda text: text.replace("# >>> gap store", "# >>> gap record", 1),
        lambda text: text + "# >>> gap store\n# <<< gap store\n",
        lambda text: text.replace("# <<< gap store\n", "# >>> gap inner\n    # <<< gap store\n    # <<< gap inner\n"),
    ],
    ids=["lost", "doubled", "crossed", "twice", "nested"],
)  # fmt: skip
@pytest.mark.parametrize("units", [["store"], ["given"]])
def test_markers_that_do_not_pair_are_refused_with_their_line(change, units) -> None:  # type: ignore[no-untyped-def]
    student = {**REFERENCE, FLASK: change(REFERENCE[FLASK])}
    with pytest.raises(NoSuchText, match=r"flask_app\.py.*Line \d+: the marker"):
        mixed(student, REFERENCE, units)
