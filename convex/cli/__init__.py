"""The command `convex`: what an operator types, each group of commands in a file of its own.

Owns the starting and stopping of the processes, and how results and errors are said in a terminal;
decides nothing about alerts. Modules are light to import, so that `--help` is quick: what a command
needs is imported when it runs. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import sys

from convex.cli.app import run


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
