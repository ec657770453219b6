"""What the reader passes is given to the real Terraform: it runs no program, reads no file outside, reaches nobody.

Texts are generated around something that would do one of these, so that it stands where one of the two may take it for
text and the other for code. The seed is fixed; `make verify` tries many more.
"""

import os
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labkit.deploy.terraform_command import configuration
from labkit.grading.intake import refusal

SEED = 20
pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here"),
]
_BLANKS = "\u00a0\u1680\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\u0085\u000b\u000c\u001c\u0301\ufffd"
_PIECES = (
    *(
        "<<EOT\n",
        "<<-EOT\n",
        "<<EOT\r\n",
        "<<-EOT\r\n",
        "<<E\n",
        "<<E-T\n",
        "<<é\n",
        "EOT\n",
        "  EOT\n",
        "\tEOT\r\n",
    ),
    *("EOT", "E\n", "E-T\n", "é\n", '"', '"x"', "${", "%{", "}", "~}", "${~", "%{ if true }", "%{ endif }"),
    *(
        "%{ for x in [1] }",
        "%{endfor}",
        "$${",
        "%%{",
        "$",
        "%",
        "\\",
        "\\\\",
        '\\"',
        "\n",
        "\r\n",
        "\r",
        "/*",
        "*/",
    ),
    *(
        "#",
        "//",
        "{",
        "(",
        ")",
        "[",
        "]",
        '"${"',
        '"}"',
        "1",
        "1e",
        "5",
        "x",
        " ",
        "\t",
        "<<",
        "-",
        '${"a"}',
        '"\\n"',
    ),
    *('"$$"', '"%%"', '"$${"', '"\\u0022"', "\u00e9", "K\u0301", "\u212a"),
)
_STARTS = ("b = <<EOT\n", 'b = "', "b = /* */ ", "/*", "# ", "// ", "b = <<-EOT\n")
_NAMES = ("local", "path", "var", "each", "self", "x", "data", "module", "terraform")
_PATHS = (
    "local.p",
    '"${path.module}/canary.txt"',
    '"${path.root}/canary.txt"',
    '"${local.p}"',
    "x.p",
    "path.module",
)
#: after a local value z9, in a block `locals`
_SHOWN = '\n}\noutput "o" {\n  value = local.z9\n}\nlocals {'
_READS = (
    "file",
    "filebase64",
    "filemd5",
    "templatefile",
    "core::file",
    "file ",
    "file/**/",
    "file\n",
    "try(file",
)


@dataclass
class Oracle:
    """The real Terraform, with something to read, to make and to reach that is none of its business."""

    folder: Path
    connections: int = 0
    listener: socket.socket = field(default_factory=socket.socket)

    def __post_init__(self) -> None:
        (self.folder / "outside").mkdir()
        (self.folder / "outside" / "canary.txt").write_text("CANARY-7f3a")
        (self.folder / "rc").write_text(configuration(None, str(self.folder)))
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            client.close()

    @property
    def canary(self) -> str:
        """A file that no submission may read."""
        return str(self.folder / "outside" / "canary.txt")

    @property
    def mark(self) -> Path:
        """What a program would make."""
        return self.folder / "outside" / "ran"

    def holes(self, text: str) -> tuple[str, bool]:
        """What Terraform did that it must not do, "" for nothing; and whether it took the text."""
        place = self.folder / "files"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "main.tf").write_text(text, newline="", encoding="utf-8", errors="surrogatepass")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        env = {**kept, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": str(self.folder / "rc")}
        said, status = "", 1
        commands = [["init", "-input=false"]] if "module" in text or "resource" in text else []
        for command in (*commands, ["apply", "-auto-approve", "-input=false"]):
            done = subprocess.run(
                ["terraform", *command, "-no-color"],
                cwd=place,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            said, status = said + done.stdout + done.stderr, done.returncode
        did = [
            *(["read a file"] if "CANARY" in said or "Q0FOQVJZ" in said else []),
            *(["ran a program"] if self.mark.exists() else []),
            *(["reached a port"] if self.connections else []),
        ]
        self.mark.unlink(missing_ok=True)
        self.connections = 0
        return ", ".join(did), status == 0


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    made = Oracle(tmp_path_factory.mktemp("oracle"))
    yield made
    made.listener.close()


class Texts:
    """Generates configurations. Each says in one place, to whoever takes that for code, what must not be done."""

    def __init__(self, seed: int, oracle: Oracle) -> None:
        self._random, self._oracle = random.Random(seed), oracle

    def next(self) -> str:
        """One more."""
        return self._random.choice([self._hidden, self._hidden, self._marked, self._bound, self._escaped])()

    def _some(self, most: int, pieces: tuple[str, ...] = _PIECES) -> str:
        chosen = [self._random.choice(pieces) for _ in range(self._random.randint(0, most))]
        if self._random.random() < 0.4:
            chosen.insert(self._random.randint(0, len(chosen)), self._random.choice(_BLANKS))
        return "".join(chosen)

    def _deed(self) -> str:
        """What must not be done, as it would stand in a block `locals`."""
        port = self._oracle.listener.getsockname()[1]
        program = f'provisioner "local-exec" {{\n    command = "touch {self._oracle.mark}"\n  }}'
        return self._random.choice(
            [
                f'z9 = file("{self._oracle.canary}"){_SHOWN}',
                f'}}\nresource "terraform_data" "d" {{\n  {program}\n}}\nlocals {{',
                f'}}\nmodule "m" {{\n  source = "http://127.0.0.1:{port}/x.zip"\n}}\nlocals {{',
            ]
        )

    def _hidden(self) -> str:
        """Odd pieces before and after it."""
        before, after = f"a = {self._some(7)}", self._some(5)
        if self._random.random() < 0.5:
            after = self._random.choice(_STARTS) + after
        return self._whole(f"{before}\n{self._deed()}\n{after}")

    def _marked(self) -> str:
        """Between what may be the ends of two here-documents."""
        blank = self._random.choice(_BLANKS)
        mark = self._random.choice(["EOT", "E", "E-T", "_x"])
        first = self._random.choice(["<<", "<<-"]) + mark
        line = self._random.choice(
            [mark + blank, blank + mark, f" {blank}{mark}", f"{mark} {blank}\t", f"{mark}{blank}{blank}"]
        )
        return self._whole(f"a = {first}\n{self._some(2)}{line}\n{self._deed()}\nb = <<{mark}\n{mark}")

    def _bound(self) -> str:
        """A name that means something else there."""
        choose = self._random.choice
        outside = str(Path(self._oracle.canary).parent)
        objects = f'{{ p = "{self._oracle.canary}", module = "{outside}", root = "{outside}" }}'
        name, other, path = choose(_NAMES), choose(_NAMES), choose(_PATHS)
        read = choose(_READS)
        call = (
            f"{read}({path}"
            + (", {})" if read == "templatefile" else ")")
            + (', "")' if read.startswith("try") else "")
        )
        loops = [
            f"[for {name} in [{objects}] : {call}]",
            f"{{ for {other}, {name} in [{objects}] : {other} => {call} }}",
            f'"%{{ for {name} in [{objects}] }}${{{call}}}%{{ endfor }}"',
            f"<<EOT\n%{{~ for {other}, {name} in [{objects}] ~}}\n${{{call}}}\n%{{~ endfor ~}}\nEOT\n",
            f'[for {other} in [1] : [for {name} in [{objects}] : "a ${{{call}}}"]]',
            f"[for {name} in [{objects}] : [for {other} in [1] : {call}]]",
            f"[for {name} in [{objects}] : {call} if {name} != null][*]",
        ]
        return self._whole(f'p = "build/x"\nz9 = {choose(loops)}{_SHOWN}')

    def _escaped(self) -> str:
        """Behind dollar and per cent signs, backslashes and quotes."""
        signs = "".join(self._random.choice("$%\\~\"'") for _ in range(self._random.randint(0, 5)))
        body = f'{signs}{{{self._random.choice(["", "~", "if "])}file("{self._oracle.canary}"){self._random.choice(["", "~"])}}}'
        if self._random.random() < 0.5:
            return self._whole(f'z9 = "{self._some(2)}{body}"{_SHOWN}')
        return self._whole(f"z9 = <<EOT\n{self._some(2)}{body}\nEOT\n{_SHOWN}")

    @staticmethod
    def _whole(body: str) -> str:
        return f"locals {{\n{body}\n}}\n"


def _try(oracle: Oracle, seed: int, wanted: int) -> tuple[int, int]:
    """Give `wanted` texts that the reader passes to Terraform; how many it took, and how many were made."""
    texts, made, taken, passed = Texts(seed, oracle), 0, 0, 0
    while passed < wanted:
        made += 1
        text = texts.next()
        # (as a submission's files are read: what is no UTF-8 is replaced)
        if refusal.find({"main.tf": text.encode(errors="surrogatepass").decode("utf-8", "replace")}):
            continue
        passed += 1
        did, took = oracle.holes(text)
        assert not did, f"seed {seed}, text {made}: it {did}: {text!r}"
        taken += took
    return taken, made


def test_what_the_reader_passes_does_nothing(oracle: Oracle) -> None:
    taken, made = _try(oracle, SEED, 12)
    print(f"seed {SEED}: {made} texts, 12 passed, {taken} of them taken by Terraform")
    assert taken >= 2


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(SEED + 1, SEED + 5))
def test_many_more(oracle: Oracle, seed: int) -> None:
    taken, made = _try(oracle, seed, 150)
    print(f"seed {seed}: {made} texts, 150 passed, {taken} of them taken by Terraform")
    assert taken >= 30


def test_the_oracle_sees_what_is_done(oracle: Oracle) -> None:
    for deed, did in (
        (f'z9 = file("{oracle.canary}"){_SHOWN}', "read a file"),
        (f'}}\nresource "terraform_data" "d" {{\n  provisioner "local-exec" {{\n    command = "touch {oracle.mark}"\n  }}\n}}\nlocals {{', "ran a program"),
        (f'}}\nmodule "m" {{\n  source = "http://127.0.0.1:{oracle.listener.getsockname()[1]}/x.zip"\n}}\nlocals {{', "reached a port"),
    ):  # fmt: skip
        text = Texts._whole(deed)
        assert oracle.holes(text)[0] == did
        assert refusal.find({"main.tf": text})
