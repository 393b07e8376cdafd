"""What people put into their own Prometheus and Grafana speaks of metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from convex.telemetry import exposition
from convex.telemetry.metrics import REGISTRY

_DEPLOY = Path(__file__).parents[2] / "deploy"
_RULES = _DEPLOY / "prometheus" / "convex.rules.yml"
_DASHBOARD = _DEPLOY / "grafana" / "convex.json"
_KNOWN = {
    sample
    for metric in REGISTRY.collect()
    for sample in (
        (metric.name, metric.name + "_bucket", metric.name + "_count", metric.name + "_sum")
        if metric.type == "histogram"
        else (metric.name + "_total",)
        if metric.type == "counter"
        else (metric.name,)
    )
}


def expressions() -> list[str]:
    rules = yaml.safe_load(_RULES.read_text())
    dashboard = json.loads(_DASHBOARD.read_text())
    return [
        *(rule["expr"] for group in rules["groups"] for rule in group["rules"]),
        *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]),
    ]


def test_every_metric_is_one_of_ours() -> None:
    used = {name for one in expressions() for name in re.findall(r"convex_\w+", one)}
    assert len(used) > 15
    assert used <= _KNOWN


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(_DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on this machine"
)


@promtool
def test_promtool_accepts_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(_RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@promtool
def test_promtool_has_nothing_to_say_about_the_metrics() -> None:
    body, _ = exposition("text/plain")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
