"""The project as a whole: what it is made of, its warnings, its style."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convex.analytics.build import PROJECT

_LAYERS = {"staging": 0, "intermediate": 1, "marts": 2}


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The project, parsed without a database and with every warning an error."""
    target = tmp_path_factory.mktemp("dbt")
    dbt = Path(sys.executable).with_name("dbt")
    ended = subprocess.run(
        [
            *(str(dbt), "--warn-error", "parse", "--show-all-deprecations", "--no-partial-parse"),
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(target), "--log-path", str(target)),
        ],
        capture_output=True,
        text=True,
        env={"DO_NOT_TRACK": "1", "PATH": "/usr/bin:/bin"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    parsed: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return parsed


def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def test_no_package_shadows_dbt() -> None:
    assert not list(PROJECT.rglob("__init__.py"))


def test_every_model_and_column_is_described(manifest: dict[str, Any]) -> None:
    for name, node in models(manifest).items():
        assert node["description"], name
        assert node["columns"], name
        for column in node["columns"].values():
            assert column["description"], f"{name}.{column['name']}"


def test_names_say_the_layer(manifest: dict[str, Any]) -> None:
    prefixes = {
        "staging": ("stg_convex__",),
        "intermediate": ("int_",),
        "marts": ("fct_", "dim_", "alert_analytics", "metric_hourly"),
    }
    for name, node in models(manifest).items():
        assert name.startswith(prefixes[node["fqn"][1]]), name


def test_models_read_their_own_layer_or_the_one_below(manifest: dict[str, Any]) -> None:
    for name, node in models(manifest).items():
        layer = _LAYERS[node["fqn"][1]]
        for parent in node["depends_on"]["nodes"]:
            if parent.startswith("source."):
                # The marts' pre-hook asks the sources what has been removed.
                assert layer == 0 or "source(" not in node["raw_code"], f"{name} reads {parent}"
            else:
                above = _LAYERS[manifest["nodes"][parent]["fqn"][1]]
                assert above <= layer, f"{name} reads {parent}"
                assert layer != 0, f"{name} reads {parent}"


def test_nothing_is_built_for_nobody(manifest: dict[str, Any]) -> None:
    exposed = {
        parent for one in manifest["exposures"].values() for parent in one["depends_on"]["nodes"]
    }
    for name, node in models(manifest).items():
        children = [c for c in manifest["child_map"][node["unique_id"]] if c.startswith("model.")]
        assert children or node["unique_id"] in exposed, f"nothing reads {name}"


def test_every_mart_has_a_contract_and_is_exposed(manifest: dict[str, Any]) -> None:
    exposed = {
        parent for one in manifest["exposures"].values() for parent in one["depends_on"]["nodes"]
    }
    for name, node in models(manifest).items():
        if node["fqn"][1] == "marts":
            assert node["contract"]["enforced"], name
            assert node["unique_id"] in exposed, name


def test_every_formula_has_a_unit_test(manifest: dict[str, Any]) -> None:
    tested = {one["model"] for one in manifest["unit_tests"].values()}
    computing = {
        name
        for name, node in models(manifest).items()
        if name.startswith("int_")
        or any(word in node["raw_code"] for word in ("avg(", "ratio(", "mean_minutes("))
    }
    assert computing <= tested


def test_sql_is_in_style() -> None:
    sqlfluff = Path(sys.executable).with_name("sqlfluff")
    ended = subprocess.run(
        [str(sqlfluff), "lint", "--processes", "1", str(PROJECT)],
        capture_output=True,
        text=True,
        cwd=PROJECT.parent,
    )
    assert ended.returncode == 0, ended.stdout
