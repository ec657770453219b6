"""python -m ensurepip."""

import ensurepip

ensurepip.main()
