"""The server of ./lab open: nobody else's page may read it or start a step, and a change is told."""

import http.client
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from labkit.base.errors import StateError
from labkit.lesson.page.acting import Runner
from labkit.lesson.page.serving import serve


class Site:
    """A page that counts what is asked of it."""

    def __init__(self) -> None:
        self.ran, self.version = list[str](), "one"

    def page(self) -> tuple[int, str]:
        return 200, f"<main data-stamp={self.version}>"

    def file(self, name: str) -> tuple[str, bytes] | None:
        return ("text/css", b"body {}") if name == "page.css" else None

    def image(self, key: str) -> tuple[str, bytes] | None:
        return ("image/png", key.encode()) if key == "p/1.png" else None

    def post(self, name: str, form: Mapping[str, str]) -> str | None:
        self.ran.append("".join([name, *form.values()]))
        if name == "run/other":
            raise StateError("Another step is running.", hint="Wait for its end.")
        return "#running" if name == "run/wire" else None

    def stamp(self) -> str:
        return self.version


class Browser:
    """Asks with the headers of a browser that looks at the page."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.base = parts.netloc, parts.path

    def ask(self, method: str, name: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        given = {"Host": self.host, **{key.replace("_", "-"): value for key, value in headers.items()}}
        connection.request(method, name if name.startswith("/") else self.base + name, body or None, given)
        return connection.getresponse()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    with serve(site) as url:
        yield Browser(url)


def test_the_page_its_files_and_its_images_are_served(browser: Browser) -> None:
    assert browser.ask("GET", "").read() == b"<main data-stamp=one>"
    assert browser.ask("GET", "page.css").getheader("Content-Type") == "text/css"
    assert browser.ask("GET", "object/p%2F1.png").read() == b"p/1.png"
    assert [browser.ask("GET", name).status for name in ("object/other", "no.css", "/wrong-token/")] == [
        404
    ] * 3


def test_a_click_on_the_page_runs_a_step_and_leads_back(browser: Browser, site: Site) -> None:
    answer = browser.ask("POST", "run/wire", Origin=f"http://{browser.host}")
    assert (answer.status, site.ran) == (303, ["run/wire"])
    assert answer.getheader("Location") == f"{browser.base}#running"
    other = browser.ask("POST", "run/other", Origin=f"http://{browser.host}")
    assert (other.status, other.read()) == (409, b"Another step is running. Go back. Wait for its end.\n")
    assert browser.ask("POST", "no-such", Origin=f"http://{browser.host}").status == 404


def test_a_form_is_taken_whole_or_not_at_all(browser: Browser, site: Site) -> None:
    here = {"Origin": f"http://{browser.host}"}
    assert browser.ask("POST", "run/wire", body="a=%C3%B6&b=2", **here).status == 303
    assert browser.ask("POST", "run/wire", body="a=" + "x" * 20_000, **here).status == 413
    assert browser.ask("POST", "run/wire", Content_Length="-1", **here).status == 413
    assert site.ran == ["run/wireö2"]


def test_no_other_page_reads_it_or_runs_a_step(browser: Browser, site: Site) -> None:
    refused = [
        browser.ask("POST", "run/wire").status,
        browser.ask("POST", "run/wire", Origin="http://evil.example").status,
        browser.ask("POST", "run/wire", Origin="null").status,
        browser.ask("POST", "run/wire", Origin=f"http://{browser.host}", Sec_Fetch_Site="cross-site").status,
        browser.ask("GET", "", Sec_Fetch_Site="cross-site").status,
        browser.ask("GET", "", Host="evil.example").status,
    ]
    assert refused == [403, 403, 403, 403, 403, 421]
    assert site.ran == []


def test_a_change_is_told_also_one_from_before_anybody_listened(browser: Browser, site: Site) -> None:
    site.version = "two"
    news = browser.ask("GET", "news/one")
    assert news.getheader("Content-Type") == "text/event-stream"
    assert news.readline() == b"data: changed\n"
    quiet = browser.ask("GET", "news/two")
    assert quiet.readline() == b": here\n"
    site.version = "three"
    lines = iter(quiet.readline, b"")
    assert next(line for line in lines if line.startswith(b"data")) == b"data: changed\n"


@pytest.mark.processes
def test_one_step_runs_at_a_time_and_what_it_says_is_kept(tmp_path: Path) -> None:
    ended = threading.Event()
    program = "import sys; print('\\x1b[31mhello', sys.argv[1]); sys.stdin.read(); sys.exit(3)"
    runner = Runner(lambda step: [sys.executable, "-c", program, step], tmp_path)
    assert runner.job() is None
    assert not runner.start("destroy")
    assert runner.start("wire")
    while (job := runner.job()) and job.status is None:
        ended.wait(0.02)
    runner.close()
    job = runner.job()
    assert job is not None
    assert (job.step, job.lines, job.status) == ("wire", ("?[31mhello wire",), 3)
    waiting = Runner(lambda _: [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path)
    assert waiting.start("deploy")
    assert not waiting.start("wire")
    waiting.close()
    last = waiting.job()
    assert last is not None
    assert last.status not in (None, 0)
