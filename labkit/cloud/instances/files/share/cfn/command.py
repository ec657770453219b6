"""The command lines of cfn-signal, cfn-get-metadata, cfn-init and cfn-hup."""
# ruff: noqa: T201

import argparse
import json
import os
import sys
import urllib.parse
from collections.abc import Sequence
from typing import Any

from . import hup, init
from .asking import Refused, ask, put
from .own import metadata, region

#: about whose name to sign with, and how to reach the service: an instance of the stack needs none of them here
_NOT_NEEDED = (
    "--access-key",
    "--secret-key",
    "--credential-file",
    "--role",
    "--http-proxy",
    "--https-proxy",
    "--url",
)


def main(words: Sequence[str]) -> int:
    """Do what the program of this name does; returns its exit status."""
    name = os.path.basename(sys.argv[0])
    programs = {
        "cfn-signal": _signal,
        "cfn-init": _init,
        "cfn-hup": hup.main,
        "cfn-get-metadata": _get_metadata,
    }
    try:
        return programs[name](list(words))
    except Refused as refused:
        print(f"{name}: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{name}: CloudFormation was not reached: {error}", file=sys.stderr)
        return 1


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument(
        "-s" if name != "cfn-signal" else "--stack", *(["--stack"] if name != "cfn-signal" else [])
    )
    parser.add_argument(
        "-r" if name != "cfn-signal" else "--resource", *(["--resource"] if name != "cfn-signal" else [])
    )
    parser.add_argument("--region", default="")
    parser.add_argument("-v", "--verbose", action="store_true")
    for option in _NOT_NEEDED:
        parser.add_argument(option)
    return parser


# -- cfn-signal -------------------------------------------------------------------------------------------


def _signal(words: list[str]) -> int:
    parser = _parser("cfn-signal")
    parser.add_argument("-s", "--success", default=None)
    parser.add_argument("-e", "--exit-code", type=int, default=None)
    parser.add_argument("-i", "--id", default="")
    parser.add_argument("-d", "--data", default="")
    parser.add_argument("-r", "--reason", default="")
    parser.add_argument("handle", nargs="?", default="")
    asked = parser.parse_args(words)
    success = (
        asked.exit_code == 0
        if asked.exit_code is not None
        else str(asked.success or "true").lower() == "true"
    )
    unique = asked.id or metadata("meta-data/instance-id")
    status = "SUCCESS" if success else "FAILURE"
    if asked.handle:
        reason = asked.reason or ("Configuration Complete" if success else "Configuration Failed")
        put(
            _whole(asked.handle), {"Status": status, "Reason": reason, "UniqueId": unique, "Data": asked.data}
        )
        return 0
    if not asked.stack or not asked.resource:
        print(
            "Error: stack name and logical resource ID, or a wait condition URL, are required",
            file=sys.stderr,
        )
        return 1
    parameters = {
        "StackName": asked.stack,
        "LogicalResourceId": asked.resource,
        "UniqueId": unique,
        "Status": status,
    }
    ask(asked.region or region(), "SignalResource", parameters)
    return 0


def _whole(handle: str) -> str:
    """A handle's URL; some pass it encoded in base64."""
    if handle.startswith("http"):
        return handle
    import base64

    return urllib.parse.unquote(base64.b64decode(handle).decode())


# -- metadata ---------------------------------------------------------------------------------------------


def described(stack: str, resource: str, where: str) -> dict[str, Any]:
    """The metadata of a stack's resource. Raises Refused, OSError."""
    parameters = {"StackName": stack, "LogicalResourceId": resource}
    detail = ask(where or region(), "DescribeStackResource", parameters)["StackResourceDetail"]
    found: dict[str, Any] = json.loads(detail.get("Metadata") or "{}")
    return found


def _get_metadata(words: list[str]) -> int:
    parser = _parser("cfn-get-metadata")
    parser.add_argument("-k", "--key", default="")
    asked = parser.parse_args(words)
    value: Any = described(asked.stack, asked.resource, asked.region)
    for part in asked.key.split(".") if asked.key else ():
        value = value[part]
    print(json.dumps(value, indent=4))
    return 0


def _init(words: list[str]) -> int:
    parser = _parser("cfn-init")
    parser.add_argument("-c", "--configsets", default="default")
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_args(words)
    found = described(asked.stack, asked.resource, asked.region)
    if "AWS::CloudFormation::Init" not in found:
        print(
            "Error occurred during build: Could not find 'AWS::CloudFormation::Init' key in template metadata",
            file=sys.stderr,
        )
        return 1
    return init.build(found["AWS::CloudFormation::Init"], asked.configsets.split(","), verbose=asked.verbose)
