"""The arguments of each of Terraform's resource types, from the provider itself, without a network.

What belongs here: from a provider's schema to lines of a card. What does not: asking the provider
(labkit.deploy.terraform_schema), CloudFormation's types (properties).
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from labkit.base.errors import UsageError
from labkit.deploy import terraform_schema
from labkit.lesson.context import Context
from labkit.lesson.help import rows

_WORDS = {"string": "text", "bool": "true or false", "number": "number", "dynamic": "any value"}


def is_asked_for(word: str) -> bool:
    """Whether a word is a resource type, or a block inside one: aws_s3_bucket, aws_s3_bucket_versioning.status."""
    return word.lower().startswith("aws_")


def card(context: Context, word: str) -> list[tuple[str, str]]:
    """Lines (text, style) for a type, or for the block behind a dot after it, and so on downwards.

    Raises UsageError with the nearest names for one that does not exist, EngineError where the provider can't be asked.
    """
    kind, *path = word.lower().split(".")
    asked = (context.terraform, _template(context))
    block = terraform_schema.block_of(*asked, kind, context.emit)
    if block is None:
        raise _none("resource type", kind, terraform_schema.names(*asked, context.emit))
    at = kind
    for step in path:
        inner = {name: each["block"] for name, each in block.get("block_types", {}).items()}
        if step not in inner:
            raise _none(f"block in {at}", step, list(inner))
        block, at = inner[step], f"{at}.{step}"
    return [(at, "strong"), *_rows(at, block)]


def _template(context: Context) -> Any:
    source = next(source for source, name in context.manifest.files.items() if name == "main.tf")
    return context.places.root / "templates" / source


def _none(what: str, name: str, names: list[str]) -> UsageError:
    near = difflib.get_close_matches(name, names, 3, 0.6)
    return UsageError(
        f"There is no {what} called {name}.",
        hint=f"Perhaps: {', '.join(near)}" if near else "They look like aws_s3_bucket:  ./lab card",
    )


def _rows(at: str, block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    attributes = block.get("attributes", {})
    settable = {name: each for name, each in attributes.items() if _settable(each)}
    blocks = block.get("block_types", {})
    said = {name: (bool(each.get("required")), kind_of(each["type"])) for name, each in settable.items()}
    said |= {name: (bool(each.get("min_items")), _block(each)) for name, each in blocks.items()}
    yield from rows.settable(said, said)
    yield from rows.given("It gives", attributes.keys() - settable.keys())
    yield from rows.further(at, min(blocks, default=""))


def _settable(attribute: Mapping[str, Any]) -> bool:
    return bool(attribute.get("required") or attribute.get("optional")) and "type" in attribute


def _block(each: Mapping[str, Any]) -> str:
    """A block in words: NAME { … }, with what is in it."""
    inner = each["block"]
    names = [n for n, a in inner.get("attributes", {}).items() if _settable(a)] + list(
        inner.get("block_types", ())
    )
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    often = "one block" if each.get("max_items") == 1 else "blocks"
    return f"{often} {{ {', '.join(sorted(names)[:6])}{more} }}"


def kind_of(kind: Any) -> str:
    """A type of the schema in words: ["list", "string"] is "list of: text"."""
    if isinstance(kind, str):
        return _WORDS.get(kind, kind)
    name, inner = kind[0], kind[1]
    if name == "object":
        return f"object: {', '.join(sorted(inner))}"
    return f"{'names of your own, each' if name == 'map' else 'list of'}: {kind_of(inner)}"
