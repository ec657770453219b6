"""The programs `crond` and `crontab`."""
# ruff: noqa: T201

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from .tables import Job, Mistake, read

_SPOOL = "/var/spool/cron"
_BASE = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "HOME": "/root", "LOGNAME": "root", "LANG": "C.UTF-8"}


def main(words: Sequence[str]) -> int:
    """Do what the command line says; returns the exit status."""
    return crontab(list(words)) if os.path.basename(sys.argv[0]) == "crontab" else crond(list(words))


# -- crontab ----------------------------------------------------------------------------------------------


def crontab(words: list[str]) -> int:
    """Show, remove or replace a user's table."""
    user = words[words.index("-u") + 1] if "-u" in words else os.environ.get("USER", "root")
    path = f"{_SPOOL}/{user}"
    if "-e" in words:
        print(
            "Local cloud: its crontab opens no editor; give it a file, or - for standard input.",
            file=sys.stderr,
        )
        return 1
    if "-l" in words:
        if not os.path.exists(path):
            print(f"no crontab for {user}", file=sys.stderr)
            return 1
        with open(path, encoding="utf-8") as file:
            print(file.read(), end="")
        return 0
    if "-r" in words:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return 0
    return _replace(path, [word for word in words if word not in ("-u", user)])


def _replace(path: str, names: list[str]) -> int:
    source = names[0] if names else "-"
    try:
        if source == "-":
            text = sys.stdin.read()
        else:
            with open(source, encoding="utf-8") as file:
                text = file.read()
        read(text, with_user=False)
    except OSError as error:
        print(f"{source}: {error.strerror}", file=sys.stderr)
        return 1
    except Mistake as mistake:
        print(f'"{source}":{mistake}\nerrors in crontab file, can\'t install.', file=sys.stderr)
        return 1
    os.makedirs(_SPOOL, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


# -- crond ------------------------------------------------------------------------------------------------


def crond(words: list[str]) -> int:
    """Run what is due, minute by minute, until ended."""
    if "-n" not in words and os.fork():
        return 0
    children = [_start(job) for job in _jobs() if job.at_start]
    while True:
        now = time.time()
        time.sleep(60 - now % 60)
        children = [child for child in children if child.poll() is None]
        at = time.localtime(now + 60)
        children += [_start(job) for job in _jobs() if job.due(at)]


def _jobs() -> Iterator[Job]:
    """All jobs of all tables, as they stand now."""
    places = [("/etc/crontab", True)]
    for folder, with_user in (("/etc/cron.d", True), (_SPOOL, False)):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else ()
        places += [(f"{folder}/{name}", with_user) for name in names]
    for path, with_user in places:
        try:
            with open(path, encoding="utf-8") as file:
                yield from read(file.read(), with_user=with_user)
        except FileNotFoundError:
            continue
        except (OSError, Mistake) as error:
            print(f"({path}) ERROR ({error})", flush=True)


def _start(job: Job) -> "subprocess.Popen[bytes]":
    print(f"(root) CMD ({job.command})", flush=True)
    environment = {**_BASE, **job.environment}
    shell = environment["SHELL"]
    return subprocess.Popen(
        [shell, "-c", job.command.replace("\\%", "%")], env=environment, cwd=environment["HOME"]
    )
