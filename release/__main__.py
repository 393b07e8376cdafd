"""`python -m release PART [--into FOLDER]`; see the package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release.archive import make_archive
from release.licences import find_problems, write_document
from release.sbom import write_boms

_DIST = Path("dist")


def main() -> int:
    """0, or 1 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("part", choices=["sbom", "licences", "archive"])
    parser.add_argument("--into", type=Path, default=_DIST, help="folder of the results")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    if asked.part == "licences":
        sys.stdout.write(f"{write_document()}\n")
        problems = find_problems()
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        return 1 if problems else 0
    made = write_boms(asked.into) if asked.part == "sbom" else [make_archive(asked.into)]
    sys.stdout.writelines(f"{path}\n" for path in made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
