"""CloudWatch Logs user guide, "Filter pattern syntax": which events each kind of pattern means."""

import time

import pytest

from labkit.aws.log_patterns import InvalidPattern, read_pattern

TEXTS = ("ERROR one", "INFO two", "ERROR two three", "warn: [x] 12")
RECORD = '{"level": "ERROR", "n": 5, "none": null, "yes": true, "who": {"name": "ada l"}, "list": [{"f": 1}, {"f": 2}], "a.b": "c"}'
ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3]), ("ERROR", [0, 2]), ("ERROR two", [2]), ('"two three"', [2]), ("?one ?INFO", [0, 1]), ("-ERROR", [1, 3]),
        ("ERROR -three", [0]), ('-"two three" two', [1]), ("error", []), ("?one two", [1, 2]), ("%^[IE].* two%", [1, 2]),
        (r"%\[\w\] \d+$%", [3]), ("-%two%", [0, 3]), ('"[x]"', [3]),
    ],
)  # fmt: skip
def test_terms(pattern: str, found: list[int]) -> None:
    assert [number for number, text in enumerate(TEXTS) if read_pattern(pattern).matches(text)] == found


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ('{ $.level = "ERROR" }', True), ("{ $.level = ERROR }", True), ("{$.level=E*}", True), ("{ $.level != *R }", False),
        ("{ $.n > 4.5 && $.n <= 5 }", True), ("{ $.n > 7 }", False), ("{ $.n = 5.0 }", True), ("{ $.n = 5e0 }", True),
        ("{ $.none IS NULL }", True), ("{ $.n IS NULL }", False), ("{ $.yes IS TRUE && $.yes = true }", True), ("{ $.yes IS FALSE }", False),
        ("{ $.no NOT EXISTS }", True), ("{ $.n NOT EXISTS }", False), ('{ $.who.name = "ada l" }', True), ("{ $.who.name = %^ada% }", True),
        ("{ $.list[1].f = 2 }", True), ("{ $.list[2].f = 2 }", False), ("{ $.list[*].f = 2 }", True), ("{ $['a.b'] = c }", True),
        ('{ ($.n = 1 || $.level = "E*R") && ($.no NOT EXISTS) }', True), ("{ $.n = 1 || $.n = 5 && $.no = 1 }", False),
        ("{ $.who = * }", False), ("{ $.level > 3 }", False), ("{ $.no != x }", False),
    ],
)  # fmt: skip
def test_selectors_of_json(pattern: str, fits: bool) -> None:
    assert read_pattern(pattern).matches(RECORD) is fits
    assert not read_pattern(pattern).matches("no JSON")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True), ("[ip, user]", False), ("[ip, ...]", True),
        ("[..., status = 4*, bytes]", True), ("[ip, ..., bytes > 2000]", False), ('[ip, ..., request = "*html*", status, bytes]', True),
        ("[ip=%^127%, ..., (status=403 || status=404), bytes]", True), ("[..., status != 404, bytes]", False), ("[,,,,,,]", True),
    ],
)  # fmt: skip
def test_fields_between_blanks(pattern: str, fits: bool) -> None:
    assert read_pattern(pattern).matches(ACCESS) is fits


def test_what_a_pattern_finds_goes_by_its_own_names() -> None:
    assert read_pattern("[ip, ..., status = 4*, bytes]").find(ACCESS) == {
        "$ip": "127.0.0.1",
        "$status": "404",
        "$bytes": "1534",
    }
    assert read_pattern("{ $.n > 1 && $.who.name = * }").find(RECORD) == {"$.n": "5", "$.who.name": "ada l"}


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a = 1", "{ level = 1 }", "{ $.a }", "{ $.a = }", "{ ($.a = 1 }", "[a, b", "[a=]", "[..., a, ...]", "%(a|b)%", "%a% %b% %c%",
     "a.b", '"open', "{ $.a = 1 } x", "x" * 1025, "{" + "(" * 200 + "$.a=1" + ")" * 200 + "}"],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        read_pattern(pattern)


def test_no_event_keeps_a_pattern_busy() -> None:
    began = time.perf_counter()
    assert not read_pattern("{ $.a = " + "*a" * 400 + " }").matches('{"a": "' + "a" * 300 + '"}')
    assert not read_pattern("%" + "a*" * 100 + "b%").matches("a" * 100_000)
    assert time.perf_counter() - began < 2
