"""Prometheus' rules: what is translated, and why the rest is not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from convex.alerts.code.prometheus import Imported, import_rules
from convex.alerts.code.read import read_files
from convex.alerts.code.rule_tests import RuleTest, run_tests
from tests.convex.cli.conftest import run_convex


def imported(expression: str, **more: Any) -> Imported:
    rule = {"alert": "A", "expr": expression, **more.pop("rule", {})}
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]})
    return import_rules([("a.yml", text)], **({"framework": "shop"} | more))


ABOVE = {"condition": "above", "threshold_value": 5.0}


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("m > 5", ABOVE),
        ("(m) > (5)", ABOVE),
        ("5 < m", ABOVE),
        ("m < -1e3", {"condition": "below", "threshold_value": -1000.0}),
        ("m == 0", {"condition": "equals", "threshold_value": 0.0}),
        ("m * 100 > 500", ABOVE),
        ("m / 2 > 5 / 2", ABOVE),
        ("m - 5 > 0", ABOVE),
        ("1 - m > 0.5", {"condition": "below", "threshold_value": 0.5}),
        ("-m > 5", {"condition": "below", "threshold_value": -5.0}),
        ("avg_over_time(m[5m]) > 5", ABOVE | {"aggregate": "mean", "window": "5m"}),
        ("max_over_time(m[1h30m]) > 5", ABOVE | {"aggregate": "max", "window": "1h30m"}),
        ("min_over_time(m[1d]) > 5", ABOVE | {"aggregate": "min", "window": "1d"}),
        ("sum_over_time(m[5m]) > 5", ABOVE | {"aggregate": "sum", "window": "5m"}),
        ("count_over_time(m[5m]) > 5", ABOVE | {"aggregate": "count", "window": "5m"}),
        ("last_over_time(m[5m]) > 5", ABOVE | {"aggregate": "last", "window": "5m"}),
        ("quantile_over_time(0.95, m[5m]) > 5", ABOVE | {"aggregate": "p95", "window": "5m"}),
        ("increase(n[1h]) > 5", ABOVE | {"aggregate": "sum", "window": "1h"}),
        ("rate(n[1m]) > 5", ABOVE | {"threshold_value": 300.0, "aggregate": "sum", "window": "1m"}),
        ("max by (dc) (m) > 5", ABOVE | {"group_by": ["dc"]}),
        (
            "min(avg_over_time(m[5m])) by (dc, az) < 5",
            {"condition": "below", "threshold_value": 5.0, "group_by": ["az", "dc"]}
            | {"aggregate": "mean", "window": "5m"},
        ),
        (
            "avg_over_time(m[5m]) > 5 and avg_over_time(m[1h]) > 5",
            ABOVE | {"aggregate": "mean", "window": "1h", "confirm_window": "5m"},
        ),
    ],
)
def test_a_comparison_of_one_series_with_a_number_is_translated(
    expression: str, fields: dict[str, Any]
) -> None:
    made = imported(expression, increments=("n",))
    assert made.left_out == []
    (entry,) = made.entries
    fixed = ("name", "framework", "metric", "severity")
    assert {name: value for name, value in entry.items() if name not in fixed} == fields
    assert read_files([("x", made.text)]).problems == []


@pytest.mark.parametrize(
    ("expression", "below"),
    [("m >= 5", 4.999999999999999), ("m <= 5", 5.000000000000001)],
)
def test_or_equal_is_a_comparison_with_the_next_number(expression: str, below: float) -> None:
    made = imported(expression)
    assert made.entries[0]["threshold_value"] == below
    assert "next to it" in made.notes[0].message


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("m", "compares nothing"),
        ("m >", "cannot be read"),
        ("a / b > 5", "calculates with two series"),
        ("a > b", "two series with each other"),
        ("1 > bool 2", "bool"),
        ("m > bool 5", "bool"),
        ("m != 0", "!="),
        ("m > 5 and m < 9", "joins two conditions"),
        ("a > 5 and b > 5", "joins two conditions"),
        ("a > 5 or b > 5", "combines two vectors"),
        ("a unless b", "combines two vectors"),
        ("sum by (dc) (m) > 5", "several series together"),
        ("avg(m) > 5", "several series together"),
        ("max(m) > 5", "`by`"),
        ("max without (dc) (m) > 5", "`by`"),
        ("max by (dc) (m) < 5", "all series of a group"),
        ("rate(m[5m]) > 5", "--increments"),
        ("irate(m[5m]) > 5", "irate() is no aggregate"),
        ("histogram_quantile(0.9, m) > 5", "histogram_quantile() is no aggregate"),
        ("quantile_over_time(0.9, m[5m]) > 5", "0.5 and 0.95"),
        ("max_over_time(m[1h:5m]) > 5", "subquery"),
        ("m offset 1h > 5", "another time"),
        ("m @ 1609746000 > 5", "another time"),
        ('{__name__=~"a|b"} > 5', "by a pattern"),
        ("m ^ 2 > 5", "not linear"),
        ("1 / m > 5", "not linear"),
        ("m * 0 > 5", "no weight"),
        ("absent(sum(m))", "no plain series"),
        ("absent(m) > 5", "1 or nothing"),
        ("time() - m > 5", "time() is no aggregate"),
        ("avg_over_time(m[90d]) > 5", "at most 31 days"),
    ],
)
def test_what_has_no_equal_is_left_out_with_the_reason(expression: str, reason: str) -> None:
    made = imported(expression)
    assert made.entries == []
    (left,) = made.left_out
    assert reason in left.message
    assert (left.rule, left.expression) == ("A", expression)


@pytest.mark.parametrize(
    ("expression", "wait", "after"),
    [
        ("absent(m)", None, "5m"),
        ("absent(m) == 1", "10m", "15m"),
        ("absent_over_time(m[20m])", None, "20m"),
    ],
)
def test_absence_is_missing_data(expression: str, wait: str | None, after: str) -> None:
    made = imported(expression, rule={"for": wait} if wait else {})
    (entry,) = made.entries
    assert (entry["no_data"], entry["no_data_after"]) == ("alert", after)
    assert "for" not in entry
    assert "never came" in made.notes[0].message


def test_labels_annotations_and_durations_come_along() -> None:
    made = imported(
        'm{job="api", env!="dev", host=~"a.*"} > 5',
        framework=None,
        rule={
            "for": "10m",
            "keep_firing_for": "90s",
            "labels": {"severity": "page", "team": "ops"},
            "annotations": {
                "summary": "High on {{ $labels.host }}",
                "description": "It is {{ $value | humanize }}.",
                "runbook_url": "https://example.com/x",
            },
        },
    )
    (entry,) = made.entries
    assert entry == {
        "name": "A",
        "description": "High on <host>\nIt is <value>.",
        "framework": "api",
        "metric": "m",
        "label_matchers": [
            {"label": "env", "operator": "!=", "value": "dev"},
            {"label": "host", "operator": "=~", "value": "a.*"},
            {"label": "job", "operator": "=", "value": "api"},
        ],
        "condition": "above",
        "threshold_value": 5.0,
        "for": "10m",
        "keep_firing_for": "1m30s",
        "severity": "critical",
        "runbook_url": "https://example.com/x",
        "tags": ["team:ops"],
    }


def test_without_a_framework_it_is_left_out() -> None:
    made = imported("m > 5", framework=None)
    assert "names no framework" in made.left_out[0].message
    made = imported('m{framework="ewr"} > 5')
    assert made.entries[0]["framework"] == "ewr"
    assert "label_matchers" not in made.entries[0]


FILE = """\
groups:
  - name: shop
    interval: 1m
    rules:
      - record: errors:rate5m
        expr: sum(rate(errors_total[5m]))
      - alert: TooManyErrors
        expr: error_ratio{job="shop"} > 0.1
        for: 3m
        labels: {severity: warning}
      - alert: TooManyErrors
        expr: avg_over_time(error_ratio{job="shop"}[5m]) > 0.5
        labels: {severity: critical}
      - alert: Ratio
        expr: sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 0.1
"""

# Both tools agree about these: 0.2 from minute 3 to 8, then 0.9 up to minute 20, then nothing.
SERIES = "0x2 0.2x5 0.9x11 0x9"
FIRING = {"TooManyErrors": ("warning", 6, 21), "TooManyErrors (critical)": ("critical", 11, 23)}


def test_a_file_is_translated_with_a_line_for_each_rest(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yml"
    file.write_text(FILE)
    ended = run_convex("rules", "import-prometheus", str(file), variables={})
    assert ended.status == 0, ended.err
    names = [rule["name"] for rule in yaml.safe_load(ended.out)["rules"]]
    assert names == ["TooManyErrors", "TooManyErrors (critical)"]
    assert f"left out: {file}:5: errors:rate5m: a recording rule" in ended.err
    assert f"left out: {file}:14: Ratio: `/` calculates with two series" in ended.err
    assert "2 translated, 2 left out" in ended.err
    said = run_convex("rules", "import-prometheus", str(file), "--json", variables={}).json
    assert (len(said["rules"]), len(said["left_out"]), len(said["notes"])) == (2, 2, 1)


def test_what_is_translated_fires_when_prometheus_does() -> None:
    entries = read_files([("r", import_rules([("a", FILE)]).text)]).entries
    test = RuleTest.model_validate(
        {
            "name": "as promtool",
            "series": [
                {"framework": "shop", "metric": "error_ratio", "labels": {"job": "shop"}}
                | {"values": SERIES}
            ],
            "expect": [
                {"rule": name, "triggers": [{"opened": f"{begin}m", "resolved": f"{end}m"}]}
                for name, (_, begin, end) in FIRING.items()
            ],
        }
    )
    (outcome,) = run_tests([test], entries)
    assert outcome.failures == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_says_the_same(tmp_path: Path) -> None:
    """The same file, series and times, by Prometheus' own tool."""
    (tmp_path / "alerts.yml").write_text(FILE)
    checked = subprocess.run(
        ["promtool", "check", "rules", "alerts.yml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    cases = []
    for minute in range(28):
        alerts = [
            {"exp_labels": {"severity": severity, "job": "shop"}}
            for severity, begin, end in FIRING.values()
            if begin <= minute < end
        ]
        cases.append(
            {"eval_time": f"{minute}m", "alertname": "TooManyErrors", "exp_alerts": alerts}
        )
    tests = {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": 'error_ratio{job="shop"}', "values": SERIES}],
                "alert_rule_test": cases,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    tested = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert tested.returncode == 0, tested.stdout.decode() + tested.stderr.decode()
