"""`convex rules` on this machine's database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.convex.cli.conftest import Convex

RULES = """\
rules:
  - name: errors
    framework: shop
    metric: errors
    threshold_value: 2
"""


def test_files_are_planned_applied_exported_and_checked(convex: Convex, tmp_path: Path) -> None:
    convex("user", "create", "ada@example.com")
    points = tmp_path / "points.csv"
    points.write_text(
        f"timestamp,value\n{(datetime.now(UTC) - timedelta(hours=1)).isoformat()},1\n"
    )
    convex("ingest", str(points), "--framework", "shop", "--metric", "errors")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "shop.yaml").write_text(RULES)
    planned = convex("rules", "plan", str(folder))
    assert planned.status == 0, planned.err
    assert "+ errors" in planned.out
    assert convex("rules", "plan", str(folder), "--check").status == 1
    applied = convex("rules", "apply", str(folder))
    assert "1 created" in applied.out
    assert convex("rules", "plan", str(folder), "--check").status == 0
    out = tmp_path / "out.yaml"
    convex("rules", "export", "--out", str(out))
    again = convex("rules", "plan", str(out), "--json").json
    assert again["counts"] == {
        "create": 0,
        "update": 0,
        "delete": 0,
        "release": 0,
        "unchanged": 1,
        "orphaned": 0,
    }
    (folder / "shop.yaml").write_text(RULES.replace("metric: errors", "metric: eror"))
    wrong = convex("rules", "apply", str(folder))
    assert wrong.status == 1
    assert "shop.yaml:4: rules[0].metric" in wrong.err
    assert convex("rules", "plan", str(tmp_path / "none")).status == 2
