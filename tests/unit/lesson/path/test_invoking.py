"""The reason in an answer's own words, as a screen shows it."""

import pytest

from labkit.lesson.path.invoking import Answer

PAGE = (
    "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<style>p {}</style>\n"
    "<h1>Internal Server Error</h1>\n<p>The server has failed &amp; says so.</p>\n"
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PAGE, "Internal Server Error The server has failed & says so."),
        (
            f"the server answered {PAGE}",
            "the server answered Internal Server Error The server has failed & says so.",
        ),
        ("a < b, and <b> is no page", "a < b, and <b> is no page"),
        ("<HTML><script>x</script></script>words", "words"),
        ("see https://b/k?X-Amz-Signature=secret now", "see https://b/k?… now"),
    ],
)
def test_a_servers_page_is_told_by_its_words_and_no_signature_is_shown(error: str, told: str) -> None:
    assert Answer(500, {"error": error}, "", "", 0.0).message == told
