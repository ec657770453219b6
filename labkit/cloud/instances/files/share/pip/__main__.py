"""python -m pip."""

import sys

from pip.command import main

sys.exit(main(sys.argv[1:]))
