"""`hwcensus`: the operator's commands, over the HTTP API.

Nothing but data goes to stdout; messages go to stderr. An error is one line that says what to do, and an exit code by
its kind: 2 usage, 3 not found, 4 refused, 5 unreachable.
"""

from hwcensus.cli.main import main

__all__ = ["main"]
