"""python -m labkit: the same as ./lab."""

from labkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
