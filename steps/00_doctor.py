"""Step 00: Is this machine fit for the lab? Needs Python 3.8 or newer and nothing else."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def say(text):
    """Print at once; whoever reads may have seen enough: | head."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main():
    """Look, print, and end with 0 when the machine is fit."""
    if sys.version_info < (3, 8):
        sys.exit(
            "x Python 3.8 or newer is needed even to look around; this is "
            + sys.version.split()[0]
            + "\n  Do:  install Python 3.11 or newer, then:  ./lab doctor"
        )
    if {"-h", "--help"} & set(sys.argv[1:]):
        say(
            "usage: lab doctor [-h] [--json] [--target TARGET]\n\nLooks whether this machine is fit for the lab.\n"
        )
        return 0
    sys.path.insert(0, ROOT)
    sys.dont_write_bytecode = True
    from pathlib import Path

    from labkit.base import signs
    from labkit.lesson import doctor

    signs.use(sys.stdout)
    as_json = "--json" in sys.argv[1:]
    if not as_json:
        say("00 Is this machine fit for the lab?\n\n")  # looking takes a second or two
    findings = doctor.examine(ROOT)
    try:
        doctor.remember(Path(os.environ.get("LAB_BASE", ROOT)) / ".lab", findings)
    except OSError as error:  # the finding "place" says so; what was seen is shown all the same
        sys.stderr.write("! What was seen can't be kept: " + str(error) + "\n")
    if as_json:
        import json

        result = {"passed": doctor.passed(findings), "findings": [vars(f) for f in findings]}
        say(json.dumps({"result": result}) + "\n")
    else:
        say("\n".join(doctor.lines(findings)) + "\n")
    return 0 if doctor.passed(findings) else 1


if __name__ == "__main__":
    sys.exit(main())
