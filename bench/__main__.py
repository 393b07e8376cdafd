"""`python -m bench`: the rows there are. `python -m bench ROW [options]` runs one of them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def rows() -> dict[str, str]:
    """The name of each benchmark, with what it says it measures."""
    found = {}
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        text = file.read_text()
        if file.name.startswith("__") or '__name__ == "__main__"' not in text:
            continue
        if "peers" in file.parts:
            continue
        name = ".".join(file.relative_to(Path(__file__).parent).with_suffix("").parts)
        found[name] = text.removeprefix('"""').partition("\n")[0]
    return found


def main() -> int:
    """List the rows, or run the one that is named."""
    known = rows()
    if len(sys.argv) > 1 and sys.argv[1] in known:
        name = sys.argv.pop(1)
        sys.argv[0] = f"python -m bench {name}"
        runpy.run_module(f"bench.{name}", run_name="__main__")
        return 0
    table = Table("row", "measures")
    for name, what in known.items():
        table.add_row(name, what)
    Console().print(table)
    return 0 if len(sys.argv) == 1 else 2


if __name__ == "__main__":
    raise SystemExit(main())
