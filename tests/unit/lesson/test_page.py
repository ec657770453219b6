"""The page of ./lab open: what others wrote stays text, and nothing on it can run."""

import re

from labkit.lesson import page, path
from labkit.lesson.page import View

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
