"""The command `modelmeter`: that of the C++ program, with the same arguments, output and exit codes."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    from modelmeter import _core

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it as it ends the program
    sys.stdout.flush()
    return _core.program(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
