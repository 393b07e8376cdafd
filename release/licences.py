"""The licences of everything shipped, and the policy that they are held against."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "licences.md"
_BIN = Path(sys.executable).parent

# Licences that ask for no more than to be named, by the words that name them.
_FREE = re.compile(
    r"\b(MIT|MIT-0|BSD|BSD-[023]-Clause|0BSD|Apache|Apache-2\.0|Apache Software License|ISC|PSF"
    r"|PSF-2\.0|Python-2\.0|Python Software Foundation|Unlicense|Zlib|CC0-1\.0|PostgreSQL|HPND"
    r"|OFL-1\.1|BlueOak-1\.0\.0|CNRI-Python)\b",
    re.IGNORECASE,
)
_COPYLEFT = re.compile(
    r"\b(A?L?GPL\w*|GNU|MPL\w*|Mozilla|EPL|EUPL|SSPL|BUSL|Elastic)\b", re.IGNORECASE
)

# Whatever is neither plainly free nor known must have its reason here; so must every copyleft.
REASONS = {
    "certifi": "MPL-2.0: a file of certificates, unchanged.",
    "orjson": "MPL-2.0 beside MIT or Apache-2.0: used unchanged, as a wheel.",
    "pathspec": "MPL-2.0: used unchanged, by dbt.",
    "promql-parser": "MIT by the LICENSE file of its wheel; its metadata does not say so.",
    "psycopg": "LGPL-3.0: used unchanged and replaceable, as the licence asks.",
    "psycopg-binary": "LGPL-3.0: as psycopg.",
    "psycopg-pool": "LGPL-3.0: as psycopg.",
    "psycopg2-binary": "LGPL with exceptions: used unchanged, by dbt-postgres.",
    "text-unidecode": "Artistic or GPL, at our choice: Artistic. Unchanged, by python-slugify.",
    "tqdm": "MPL-2.0 and MIT: used unchanged, by Great Expectations.",
}
VENDORED = (
    ("Redoc", "MIT", "api/vendor/redoc.LICENSE.txt"),
    ("NAB data (bench/ only)", "as stated there", "bench/data/nab/LICENSE.txt"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """Something shipped: where it comes from, its version, and its licence in words."""

    name: str
    version: str
    licence: str

    @property
    def problem(self) -> str | None:
        """Why it may not be shipped without somebody's reason; None when it may."""
        if self.name in REASONS:
            return None
        if _COPYLEFT.search(self.licence):
            return f"{self.name} is under {self.licence}: say in release/licences.py why."
        if not _FREE.search(self.licence):
            return f"{self.name} has no licence that is known ({self.licence or 'none'})."
        return None


def python_packages() -> list[Package]:
    """What uv.lock installs without the tools of development, on this platform."""
    command = [str(_BIN / "uv"), "export", "--frozen", "--no-dev", "--no-hashes"]
    command += ["--no-emit-project", "--no-annotate", "--no-header"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        named = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", line)
        if named and (licence := licence_of(named[1])) is not None:
            found.append(Package(named[1], named[2], licence))
    return found


def web_packages() -> list[Package]:
    """What web/package-lock.json builds into the page."""
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    found = {
        Package(path.rpartition("node_modules/")[2], one["version"], str(one.get("license") or ""))
        for path, one in locked.items()
        if path and not one.get("dev") and not one.get("optional")
    }
    return sorted(found, key=lambda package: (package.name, package.version))


def licence_of(name: str) -> str | None:
    """In the package's own words, shortened; empty when it says nothing, None if not installed."""
    try:
        said = cast("Message", metadata(name))
    except PackageNotFoundError:
        return None
    if expression := said.get("License-Expression"):
        return str(expression)
    classified = [
        value.rpartition(" :: ")[2]
        for value in said.get_all("Classifier") or []
        if value.startswith("License :: ") and value != "License :: OSI Approved"
    ]
    if classified:
        return ", ".join(classified)
    text = " ".join(str(said.get("License") or "").split())
    return text if len(text) <= 60 else text[:57] + "…"


def find_problems() -> list[str]:
    """A line for each package that the policy does not let pass."""
    packages = [*python_packages(), *web_packages()]
    return [problem for package in packages if (problem := package.problem)]


def document() -> str:
    """docs/licences.md as it should be today."""
    parts = [_HEAD]
    for title, packages in (("Python", python_packages()), ("The page", web_packages())):
        parts.append(f"\n## {title}\n\n| package | version | licence |\n|---|---|---|\n")
        parts += [f"| {one.name} | {one.version} | {one.licence} |\n" for one in packages]
    parts.append("\n## Copied into the tree\n\n| what | licence | text |\n|---|---|---|\n")
    parts += [f"| {name} | {licence} | [{text}](../{text}) |\n" for name, licence, text in VENDORED]
    parts.append("\n## Reasons\n\n| package | why it may be shipped |\n|---|---|\n")
    parts += [f"| {name} | {reason} |\n" for name, reason in sorted(REASONS.items())]
    return "".join(parts)


def write_document() -> Path:
    """Write docs/licences.md; its path."""
    DOCUMENT.write_text(document())
    return DOCUMENT


_HEAD = """\
# Licences

Written by `make licences` from uv.lock and web/package-lock.json; a test holds it against them.
What only builds or tests Convex is not shipped and not listed (hadolint, for one, is GPL-3.0).

**Policy.** MIT, BSD, Apache-2.0, ISC, PSF and the like are taken. Weak copyleft (LGPL, MPL) needs
the reason given below. AGPL, SSPL and unknown licences fail the test. How dependencies are
chosen and updated is in [dependencies.md](dependencies.md).
"""
