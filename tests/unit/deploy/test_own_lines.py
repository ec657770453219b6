"""What an engine says of a built file is told with the lines of the file that the student writes."""

from labkit.deploy.own_lines import told

OWN = "a: 1\ncode: HERE\nb: 2\nlast: 3\n"
BUILT = "a: 1\ncode: |\n  x = 1\n  y = 2\nb: 2\nlast: 3\n"


def test_a_line_below_what_was_put_in_has_its_own_number() -> None:
    assert told("bad tag (line 6)", BUILT, OWN) == "bad tag (line 4)"
    assert told("not well-formed. (line 1, column 5)", BUILT, OWN) == "not well-formed. (line 1, column 5)"


def test_a_line_that_was_put_in_is_the_built_files() -> None:
    assert told("odd (line 3)", BUILT, OWN) == "odd (line 3 of the file in build/)"


def test_a_message_without_a_line_stays() -> None:
    assert told("Unresolved resource dependencies [X]", BUILT, OWN) == "Unresolved resource dependencies [X]"
