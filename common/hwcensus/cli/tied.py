"""`python -m hwcensus.cli.tied PARENT MODULE WORD…`: a program that ends with its parent, however that ends.

`hwcensus up` can be killed without a chance to stop its children; left behind, they would hold its folder and its port.
They lose nothing by ending at once: agent and collector outlive `kill -9` by their design. Linux only.
"""

import ctypes
import os
import runpy
import signal
import sys

#: prctl(2).
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Runs the module as a program, with the words as its arguments."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(1)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
