"""cfn-hup: looks at the stack's metadata again and again, and runs its hooks when it has changed.

AWS: CloudFormation user guide, "cfn-hup".
"""
# ruff: noqa: T201

import configparser
import glob
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

FOLDER = "/etc/cfn"
_MINUTES = 15.0


def main(words: Sequence[str]) -> int:
    """Run until ended; returns at once where there is nothing to look at."""
    folder = words[words.index("-c") + 1] if "-c" in words[:-1] else FOLDER
    settings = configparser.ConfigParser()
    if not settings.read(f"{folder}/cfn-hup.conf") or not settings.has_option("main", "stack"):
        print(f"cfn-hup: Error: No main section or no stack in {folder}/cfn-hup.conf", file=sys.stderr)
        return 1
    if "--no-daemon" not in words and os.fork():
        return 0
    main_settings, seen = dict(settings["main"]), dict[str, str]()
    while True:
        hooks = _hooks(folder)
        for name, hook in hooks.items():
            _look(name, hook, main_settings, seen)
        time.sleep(float(main_settings.get("interval", _MINUTES)) * 60)


def _hooks(folder: str) -> dict[str, dict[str, str]]:
    hooks = configparser.ConfigParser()
    hooks.read([f"{folder}/hooks.conf", *sorted(glob.glob(f"{folder}/hooks.d/*.conf"))])
    return {name: dict(hooks[name]) for name in hooks.sections()}


def _look(name: str, hook: dict[str, str], settings: dict[str, str], seen: dict[str, str]) -> None:
    from .asking import Refused
    from .command import described

    resource, *keys = hook.get("path", "").removeprefix("Resources.").split(".")
    try:
        value: Any = described(settings["stack"], resource, settings.get("region", ""))
    except (Refused, OSError) as error:
        print(f"cfn-hup: {name}: {error}", flush=True)
        return
    for part in keys[1:] if keys[:1] == ["Metadata"] else ():
        value = value.get(part, {})
    text = json.dumps(value, sort_keys=True)
    if name in seen and seen[name] != text and "post.update" in hook.get("triggers", ""):
        subprocess.run(hook["action"], shell=True)  # noqa: S602 - the machine's own hook
    seen[name] = text
