"""`convex rules backtest` on this machine's database."""

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
    deduplication_window: 0s
"""


def test_rules_of_a_file_are_replayed_beside_the_saved_ones(convex: Convex, tmp_path: Path) -> None:
    convex("user", "create", "ada@example.com")
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    values = {hour: 0 if hour % 42 else (5 if hour % 84 else 9) for hour in range(1, 35 * 24)}
    rows = [f"{(end - timedelta(hours=hour)).isoformat()},{n}" for hour, n in values.items()]
    points = tmp_path / "points.csv"
    points.write_text("\n".join(["timestamp,value", *rows]) + "\n")
    taken = convex("ingest", str(points), "--framework", "shop", "--metric", "errors")
    assert taken.status == 0, taken.err
    file = tmp_path / "shop.yaml"
    file.write_text(RULES)
    (new,) = convex("rules", "backtest", str(file), "--days", "35", "--json").json["rules"]
    assert new["saved"] is None
    assert new["tested"]["triggers"] == 19  # every 42 hours
    assert convex("rules", "apply", str(file)).status == 0
    file.write_text(RULES.replace("2", "7"))
    said = convex("rules", "backtest", str(file), "--days", "35")
    assert said.status == 0, said.err
    assert "9 triggers on 1 series" in said.out
    assert "saved version: 19 triggers" in said.out
    (changed,) = convex("rules", "backtest", str(file), "--days", "35", "--json").json["rules"]
    assert changed["difference"]["triggers_per_week"] == -2.0
    rule = convex("rules", "plan", str(file), "--json").json["steps"][0]["rule_id"]
    (alone,) = convex("rules", "backtest", "--rule", rule, "--days", "35", "--json").json["rules"]
    assert alone["tested"]["triggers"] == 19
    assert convex("rules", "plan", str(file), "--check").status == 1  # nothing was saved
    assert convex("rules", "backtest").status == 2
    wrong = convex("rules", "backtest", "--rule", "00000000-0000-4000-8000-000000000000")
    assert (wrong.status, wrong.err.count("\n")) == (1, 1)
    file.write_text(RULES.replace("threshold_value: 2", "threshold_value: x"))
    refused = convex("rules", "backtest", str(file))
    assert refused.status == 1
    assert "threshold_value" in refused.err
