"""python -m labkit: the same as ./lab."""

import sys


def _run() -> int:
    try:
        from labkit.cli.main import main

        return main()
    except KeyboardInterrupt:  # before or after the command itself, which says more
        return 130


if __name__ == "__main__":
    sys.exit(_run())
