"""``python -m acquisition`` is ``tera``."""

import sys

from acquisition.cli import main

sys.exit(main())
