"""The page of ./lab open: what others wrote stays text, and nothing on it can run."""

import re
from pathlib import Path

import labkit
from labkit.lesson.page import page
from labkit.lesson.page.page import View
from labkit.lesson.path import path

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_foreign_text_stays_text() -> None:
    view = View(
        title=EVIL, target=EVIL, hops=[path.Hop("door", "bad", EVIL)], facts=[(EVIL, EVIL)],
        objects=[{"key": EVIL, "size": 3}], rows=[{"image_id": EVIL, "original_url": EVIL}], logs={EVIL: [EVIL]},
        warnings=[EVIL],
    )  # fmt: skip
    text = page.render(view)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert re.findall(r"<img src=\"([^\"]*)\"", text) == [
        "object/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E"
    ]


def test_every_hop_says_its_state_in_words_and_not_by_colour_alone() -> None:
    text = page.render(
        View("t", "local cloud", [path.Hop("client", "ok", ""), path.Hop("door", "bad", "no rule")])
    )
    assert "passes" in text
    assert "no rule" in text
    assert path.MARKS["bad"] in text


def test_where_the_path_stops_the_page_says_what_to_type() -> None:
    stopped = page.render(View("t", "local cloud", [path.Hop("door", "bad", "no rule")]))
    assert "./lab wire" in stopped
    assert "./lab wire" not in page.render(View("t", "local cloud", [path.Hop("door", "ok", "")]))


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
    assert page.render(View("t", "local cloud")).count("./lab process") == 2


def test_a_long_value_is_cut_and_says_so() -> None:
    text = page.render(
        View("t", "local cloud", rows=[{"sha256": "0123456789abcdef", "image_id": "0123456789abcdef"}])
    )
    assert "<td>0123456789ab…</td>" in text
    assert "<td>0123456789abcdef</td>" in text


def test_the_policy_lets_nothing_run() -> None:
    headers = page._headers("text/html", b"x")
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
