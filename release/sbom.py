"""Bills of materials in CycloneDX, from the lock files: what is shipped, not what tests it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from release.licences import licence_of

ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent


def write_boms(folder: Path) -> list[Path]:
    """sbom-python.cdx.json and sbom-web.cdx.json in `folder`. Raises `CalledProcessError`."""
    made = []
    for name, bom in (("python", python_bom()), ("web", web_bom())):
        path = folder / f"sbom-{name}.cdx.json"
        path.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n")
        made.append(path)
    return made


def python_bom() -> dict[str, Any]:
    """From uv.lock without the tools of development, with the licences of what is installed."""
    options = ["--frozen", "--no-dev", "--preview-features", "sbom-export"]
    bom = _run([_BIN / "uv", "export", "--format", "cyclonedx1.5", *options])
    for component in bom["components"]:
        if licence := licence_of(component["name"]):
            component["licenses"] = [{"license": {"name": licence}}]
    return _without_chance(bom)


def web_bom() -> dict[str, Any]:
    """From web/package-lock.json: what is built into the page."""
    options = ["--sbom-format", "cyclonedx", "--package-lock-only", "--omit", "dev"]
    return _without_chance(_run([_BIN / "npm", "sbom", *options], ROOT / "web"))


def _without_chance(bom: dict[str, Any]) -> dict[str, Any]:
    """The same lock gives the same file: no time of day, no random number."""
    bom.pop("serialNumber", None)
    bom.get("metadata", {}).pop("timestamp", None)
    return bom


def _run(command: list[str | Path], folder: Path = ROOT) -> dict[str, Any]:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    read: dict[str, Any] = json.loads(done.stdout)
    return read
