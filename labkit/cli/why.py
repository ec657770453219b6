"""`./lab cloud why`: the newest request that the local cloud refused, who sent it, and which statement decided.

What belongs here: a refusal in words. What does not: deciding (labkit.aws.iam, labkit.cloud.door).
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.base.events import banner
from labkit.base.text import printable, span
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.cloud.client.lifecycle import LocalCloud

#: what a decision hangs on, in words
_KINDS = {
    "identity": "the caller's policy", "boundary": "the caller's permissions boundary",
    "resource": "the resource's policy", "endpoint": "the policy of the VPC endpoint",
}  # fmt: skip


def tell_newest_refusal(cloud: "LocalCloud", console: Console) -> int:
    """Print it; the exit status: 0, also where nothing was refused, 3 where no cloud runs."""
    console.event(banner("Why", "local cloud"))
    if cloud.running() is None:
        console.line("The local cloud is not running; what an earlier one refused is not kept.")
        console.result({"running": False, "refusal": None})
        return 3
    refusals: list[dict[str, Any]] = cloud.ask("GET", "denials")
    if not refusals:
        console.line("✓ Since it started, the local cloud has refused nothing.", style="good")
        console.hint("What arrives nowhere is no refusal:  ./lab cloud trace FROM TO PORT")
        console.result({"running": True, "refusal": None})
        return 0
    newest = refusals[-1]
    what = printable(newest["action"] or newest["operation"])
    console.line(
        f"✗ {what} was refused {span(time.time() - newest['at'])} ago: {newest['code']}", style="bad"
    )
    for name, text in facts(newest).items():
        console.fact(name, text, 8)
    if hint := next_thing(newest):
        console.hint(hint)
    console.result({"running": True, "refusal": newest})
    return 0


def facts(refusal: Mapping[str, Any]) -> dict[str, str]:
    """Who, what, and which statement of which policy, by name; what is not known is left out."""
    caller = refusal["caller"]
    place = "this machine" if caller["place"] == "host" else f"{caller['place']} {caller['name']}"
    found = {
        "who": f"{refusal['principal'] or 'nobody known'} ({place})",
        "what": " on ".join(
            each for each in (refusal["action"] or refusal["operation"], refusal["resource"]) if each
        ),
        "why": reason(refusal),
        "answered": refusal["message"],
        "request": refusal["request_id"],
    }
    if refusal["lacking"]:
        found["unknown"] = (
            f"the local cloud does not know these condition keys of the policies: {refusal['lacking']}"
        )
    return found


def reason(refusal: Mapping[str, Any]) -> str:
    """Which statement denied, or that none allowed; where no policy was asked, that the request itself is the reason."""
    if not refusal["reason"]:
        return "no policy was asked: it hangs on the request itself"
    where = _KINDS.get(refusal["kind"], "")
    if refusal["reason"] == "explicit-deny":
        return f"statement {refusal['statement']} of {refusal['policy']} ({where}) denies it"
    if where in ("", _KINDS["identity"]):
        return "no statement of any policy allows it"
    return f"no statement of {where} allows it"


def next_thing(refusal: Mapping[str, Any]) -> str:
    """What to do next, "" where the answer itself says all."""
    if refusal["code"] == "UnsupportedOperation":
        return "docs/emulated.md lists what the local cloud emulates."
    if not refusal["reason"]:
        return ""
    if refusal["reason"] == "explicit-deny":
        return (
            f"Change statement {refusal['statement']} of {refusal['policy']}, or what the request is about."
        )
    resource = refusal["resource"] or "*"
    return (
        f"A statement with Effect Allow, Action {refusal['action']}, Resource {resource} would let it pass."
    )
