"""``python -m fastad``."""

import sys

from .cli import main

sys.exit(main())
