"""Putting functions in the place of others, and back."""

import pytest

from labkit.base.errors import CloudError
from labkit.cloud.moto_seam.replacing import Replacements


class Owner:
    def greet(self, name):
        return f"hello {name}"

    @property
    def size(self):
        return 1


class Child(Owner):
    pass


def test_a_method_is_replaced_and_given_back():
    replacements = Replacements()

    @replacements.around(Owner, "greet")
    def louder(original, self, name):
        return original(self, name).upper()

    assert Owner().greet("ada") == Child().greet("ada") == "HELLO ADA"
    assert Owner.greet.__name__ == "greet"
    replacements.undo()
    assert Owner().greet("ada") == "hello ada"


def test_a_property_is_replaced_and_given_back():
    replacements = Replacements()
    replacements.around(Owner, "size")(lambda getter, self: getter(self) + 1)
    assert Owner().size == 2
    replacements.undo()
    assert Owner().size == 1


def test_the_last_replacement_is_undone_first():
    replacements = Replacements()
    replacements.put(Owner, "greet", lambda self, name: "one")
    replacements.put(Owner, "greet", lambda self, name: "two")
    assert Owner().greet("") == "two"
    replacements.undo()
    assert Owner().greet("ada") == "hello ada"


@pytest.mark.parametrize("owner", [Owner, Child])
def test_a_name_that_is_gone_is_said_so(owner):
    replacements = Replacements()
    with pytest.raises(CloudError, match=r"no (Owner|Child)\.(farewell|greet) any more"):
        replacements.put(owner, "farewell" if owner is Owner else "greet", None)
    assert Owner().greet("ada") == "hello ada"
