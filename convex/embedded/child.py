"""Become another program that cannot outlive the process that started it.

    python -m convex.embedded.child [--signal TERM] [--account UID:GID] [--nice N] -- PROGRAM …

Takes its own session, stands back for other processes (nice), gives up root for the account, asks
the kernel for a signal at the death of the parent, and then replaces itself, so that the process id
stays. Standard library only: it is run by its path, without site packages, in front of every
child, and as the command of the Prefect work pool in front of every flow run (without it, a worker
that is killed leaves its runs behind).

Which process is the parent is told by the environment variable CONVEX_PARENT_PID, which this
program renews for its own children. It closes the gap in which the parent dies before the kernel
has been asked: whoever then has another parent ends at once. A parent that is not the expected one
for any other reason (a shell in between) can only be seen as the same thing, so whoever starts
children through something else takes the variable out first.
"""

import contextlib
import ctypes
import os
import signal
import sys

PARENT = "CONVEX_PARENT_PID"
ORPHANED = 75

_PR_SET_PDEATHSIG = 1
_USAGE = "usage: python -m convex.embedded.child [--signal NAME] [--account UID:GID] -- PROGRAM …"


def main(arguments: list[str]) -> None:
    """Never returns: replaces this process, or exits with 2 (usage), 75 (orphaned) or 127."""
    options, command = _split(arguments)
    death_signal = signal.Signals["SIG" + options.get("--signal", "KILL")]
    libc = ctypes.CDLL(None, use_errno=True)  # before root is given up: its folder may be private
    if os.getsid(0) != os.getpid():
        with contextlib.suppress(PermissionError):  # already the leader of a group
            os.setsid()
    os.nice(int(options.get("--nice", "0")))
    if "--account" in options:
        uid, _, gid = options["--account"].partition(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    # After the change of the account, which clears the request.
    if libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    expected = os.environ.get(PARENT)
    if expected is not None and int(expected) not in (os.getppid(), os.getpid()):  # or run twice
        sys.exit(ORPHANED)
    os.environ[PARENT] = str(os.getpid())
    # A shell that starts something in the background makes it ignore SIGINT, and exec keeps that.
    for name in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGPIPE,
    ):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - what it is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


def _split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    if "--" not in arguments:
        sys.stderr.write(_USAGE + "\n")
        sys.exit(2)
    at = arguments.index("--")
    given, command = arguments[:at], arguments[at + 1 :]
    options = dict(zip(given[::2], given[1::2], strict=False))
    if not command or len(given) % 2 or not set(options) <= {"--signal", "--account", "--nice"}:
        sys.stderr.write(_USAGE + "\n")
        sys.exit(2)
    return options, command


if __name__ == "__main__":
    main(sys.argv[1:])
