"""Data Docs as pages that need no internet: links rewritten, what they load beside them."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

_ASSETS = Path(__file__).with_name("assets")
_REMOTE = {
    "https://cdn.jsdelivr.net/npm/vega@5": "js/vega.min.js",
    "https://cdn.jsdelivr.net/npm/vega-lite@5": "js/vega-lite.min.js",
    "https://cdn.jsdelivr.net/npm/vega-embed@6": "js/vega-embed.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/font-awesome/6.6.0/css/all.min.css": (
        "css/fontawesome.min.css"
    ),
    "https://code.jquery.com/jquery-3.7.1.min.js": "js/jquery.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/popper.js/1.12.9/umd/popper.min.js": (
        "js/popper.min.js"
    ),
    "https://stackpath.bootstrapcdn.com/bootstrap/4.3.1/js/bootstrap.min.js": "js/bootstrap.min.js",
    "https://unpkg.com/bootstrap-table@1.19.1/dist/bootstrap-table.min.js": (
        "js/bootstrap-table.min.js"
    ),
    "https://unpkg.com/bootstrap-table@1.19.1/dist/extensions/filter-control/"
    "bootstrap-table-filter-control.min.js": "js/bootstrap-table-filter-control.min.js",
    "https://cdnjs.cloudflare.com/ajax/libs/bootstrap-datepicker/1.9.0/js/"
    "bootstrap-datepicker.min.js": "js/bootstrap-datepicker.min.js",
    "https://unpkg.com/bootstrap-table@1.19.1/dist/bootstrap-table.min.css": (
        "css/bootstrap-table.min.css"
    ),
    "https://maxcdn.bootstrapcdn.com/bootstrap/4.3.1/css/bootstrap.min.css": (
        "css/bootstrap.min.css"
    ),
    "https://unpkg.com/bootstrap-table@1.19.0/dist/extensions/filter-control/"
    "bootstrap-table-filter-control.min.css": "css/bootstrap-table-filter-control.min.css",
    "https://unpkg.com/bootstrap-table@1.19.0/dist/extensions/filter-control/"
    "bootstrap-table-filter-control.css": "css/bootstrap-table-filter-control.min.css",
    "https://cdnjs.cloudflare.com/ajax/libs/bootstrap-datepicker/1.9.0/css/"
    "bootstrap-datepicker.min.css": "css/bootstrap-datepicker.min.css",
    "https://cdn.jsdelivr.net/npm/@forevolve/bootstrap-dark@1.1.0/dist/css/"
    "bootstrap-prefers-dark.css": "css/bootstrap-prefers-dark.min.css",
}
_LOGO = re.compile(
    r"https://great-expectations-web-assets\.s3\.us-east-2\.amazonaws\.com/[\w-]+\.png(\?[^\"')]*)?"
)
_INTEGRITY = re.compile(r'\s(?:integrity="[^"]*"|crossorigin="[^"]*")')
_FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)  # an invitation to a newsletter
LOADED = re.compile(
    r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(https?:[^"]+)"'
    r'|<link\b[^>]*\bhref="(https?:[^"]+)"|url\([\'"]?(https?:[^)\'"]+)'
)


def publish(site: Path, target: Path) -> list[str]:
    """Copy a site that Great Expectations built to `target`; the pages, relative to it.

    Whatever a page loads is beside it then. Raises `LookupError` when a page loads something from
    elsewhere that is not known here (after an upgrade of Great Expectations).
    """
    shutil.copytree(_ASSETS, target / "assets", dirs_exist_ok=True)
    pages = []
    for path in sorted(site.rglob("*")):
        if path.is_dir():
            continue
        relative = path.relative_to(site)
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".html", ".css"):
            text = localise(path.read_text(), depth=len(relative.parts) - 1)
            draft = place.with_name(f".{place.name}")
            draft.write_text(text)
            draft.replace(place)
            pages += [relative.as_posix()] if path.suffix == ".html" else []
        elif not place.exists():
            shutil.copyfile(path, place)
    return pages


def localise(text: str, depth: int) -> str:
    """A page or style sheet `depth` folders below the site's root, loading from there alone."""
    up = "../" * depth
    for remote, local in sorted(_REMOTE.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(f'"{remote}"', f'"{up}assets/{local}"')
    text = _LOGO.sub(f"{up}static/images/logo-long.png", text)
    text = _INTEGRITY.sub("", _FOOTER.sub("", text))
    left = {part for found in LOADED.findall(text) for part in found if part}
    if left:
        raise LookupError(f"The quality reports would load {', '.join(sorted(left))}.")
    return text


def write_index(target: Path, workspaces: Sequence[tuple[str, str, str]]) -> Path:
    """The page above the sites of the workspaces: (folder, name, outcome) each.

    It names a workspace only where there is no other that must not hear of it: the pages are files,
    found by whoever knows the id in their path, which members are told with each run.
    """
    rows = "\n".join(
        f'<li class="list-group-item d-flex justify-content-between">'
        f'<a href="{html.escape(folder)}/index.html">{html.escape(name)}</a>'
        f"<span>{html.escape(outcome)}</span></li>"
        for folder, name, outcome in workspaces
    )
    if len(workspaces) != 1:
        rows = (
            '<li class="list-group-item">The reports of a workspace are linked from its own list of'
            " quality runs.</li>"
        )
    shutil.copytree(_ASSETS, target / "assets", dirs_exist_ok=True)
    page = target / "index.html"
    draft = page.with_name(".index.html")
    draft.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data quality</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="assets/css/bootstrap.min.css">'
        '<link rel="stylesheet" href="assets/css/bootstrap-prefers-dark.min.css"></head>'
        '<body class="container py-5"><h1 class="h3 mb-4">Data quality</h1>'
        f'<ul class="list-group">{rows}</ul></body></html>\n'
    )
    draft.replace(page)
    return page
