"""`python -m hwcensus.cli`."""

import sys

from hwcensus.cli import main

sys.exit(main())
