"""python -m ensurepip."""

from . import main

main()
