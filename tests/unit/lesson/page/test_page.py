"""The page of ./lab open: what others wrote stays text, every state has a word, and nothing on it runs but its own file."""

import re
from pathlib import Path

import labkit
from labkit.lesson.help.trouble import Stuck
from labkit.lesson.page import serving
from labkit.lesson.page.acting import Job
from labkit.lesson.page.rendering import render
from labkit.lesson.page.view import GapRow, Picture, Score, StepRow, View
from labkit.lesson.path import path

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_foreign_text_stays_text() -> None:
    view = View(
        title=EVIL, target=EVIL, hops=[path.Hop("door", "bad", EVIL)], facts=[(EVIL, EVIL)],
        pictures=[Picture(EVIL, 3, {"image_id": EVIL, "original_url": EVIL})], logs={EVIL: [EVIL]}, warnings=[EVIL],
        steps=[StepRow("04", "wire", EVIL, "next", False)], score=Score(EVIL, EVIL, [(EVIL, EVIL, EVIL)]), points=EVIL,
        gaps=[GapRow("unit", EVIL, EVIL, "✓", EVIL, EVIL, EVIL, [EVIL], [EVIL])],
        stuck=Stuck("04", EVIL, "unit", "", EVIL, 1, ""),
    )  # fmt: skip
    text = render(view, job=Job("wire", (EVIL,), 1), may_run=["wire"])
    assert re.findall(r"<script[^>]*>", text) == ["<script src=page.js defer>"]
    assert "<img src=x" not in text
    assert re.findall(r"<img src=\"([^\"]*)\"", text) == [
        "object/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E"
    ]


def test_every_hop_and_step_says_its_state_in_words_and_not_by_colour_alone() -> None:
    hops = [path.Hop("client", "ok", ""), path.Hop("door", "bad", "no rule")]
    steps = [
        StepRow("03", "deploy", "Create", "done", False),
        StepRow("08", "compare", "Both", "to do", True),
    ]
    text = render(View("t", "local cloud", hops=hops, steps=steps))
    assert "passes" in text
    assert "no rule" in text
    assert path.MARKS["bad"] in text
    assert "done · ./lab deploy" in text
    assert "to do, optional · ./lab compare" in text


def test_where_the_path_stops_the_page_says_what_to_type() -> None:
    stopped = render(View("t", "local cloud", hops=[path.Hop("door", "bad", "no rule")]))
    assert "./lab wire" in stopped
    assert "./lab wire" not in render(View("t", "local cloud", hops=[path.Hop("door", "ok", "")]))


def test_an_image_stands_beside_its_row_and_what_is_missing_is_named() -> None:
    pair = Picture("p/1.png", 3, {"image_id": "1", "s3_key": "p/1.png"})
    assert "without its" not in render(View("t", "local cloud", pictures=[pair]))
    assert "an object without its row" in render(View("t", "x", pictures=[Picture("p/1.png", 3, {})]))
    assert "a row without its object" in render(View("t", "x", pictures=[Picture("", 0, {"image_id": "1"})]))


def test_only_what_may_be_run_has_a_button_and_none_while_one_runs() -> None:
    steps = [StepRow(n, name, name, "to do", False) for n, name in (("04", "wire"), ("10", "destroy"))]
    view = View("t", "local cloud", steps=steps)
    assert re.findall(r"action=\"([^\"]+)\"", render(view, may_run=["wire"])) == ["run/wire"]
    assert "disabled" not in render(view, may_run=["wire"], job=Job("wire", (), 0))
    assert " disabled>" in render(view, may_run=["wire"], job=Job("wire", ("…",), None))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_in_the_light_and_in_the_dark_scheme() -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    style = (Path(labkit.__file__).parent.parent / "texts" / "page.css").read_text()
    schemes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{([^}]*)\}", style)
    ]
    assert len(schemes) == 2
    for colours in schemes:
        paper = luminance(colours["paper"])
        for name in ("ink", "dim", "good", "bad"):
            light, dark = sorted((paper, luminance(colours[name])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, colours)


def test_an_empty_lab_says_what_to_do() -> None:
    assert "None yet: ./lab process" in render(View("t", "local cloud"))


def test_a_long_value_is_cut_and_says_so() -> None:
    row = {"sha256": "0123456789abcdef", "image_id": "0123456789abcdef"}
    text = render(View("t", "local cloud", pictures=[Picture("k", 1, row)]))
    assert "<dd>0123456789ab…</dd>" in text
    assert "<dd>0123456789abcdef</dd>" in text


def test_the_policy_lets_nothing_run_but_the_pages_own_file() -> None:
    headers = serving.headers("text/html")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert set(re.findall(r"[a-z-]+-src '?(\w+)", policy)) == {"none", "self"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    script = (Path(labkit.__file__).parent.parent / "texts" / "page.js").read_text()
    assert "innerHTML" not in script
