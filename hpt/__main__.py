"""Runs the command line as ``python -m hpt``."""

import sys

from hpt.command import main

sys.exit(main())
