"""No link of the documents leads nowhere, and each document is one click from the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"
DOCUMENTS = sorted(
    [
        *_ROOT.glob("*.md"),
        *_DOCS.glob("**/*.md"),
        *(_ROOT / "deploy").rglob("*.md"),
        _ROOT / "web" / "README.md",
    ]
)
# By `python -m bench report`: a tree in which nobody has run it has none.
_WRITTEN_LATER = {_DOCS / "performance.md"}
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")


def prose(file: Path) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """What headings are reached by, as GitHub names them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(_ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(file)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if target in _WRITTEN_LATER and not target.exists():
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_leads_to_every_document() -> None:
    links = set(_LINK.findall((_DOCS / "README.md").read_text()))
    here = {file.name for file in _DOCS.glob("*.md")} - {"README.md"}
    assert here <= {link.partition("#")[0] for link in links}
    assert "docs/README.md" in set(_LINK.findall((_ROOT / "README.md").read_text()))
