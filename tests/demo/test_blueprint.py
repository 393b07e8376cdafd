"""The demo's workspace as code: complete for each airport, and something is wrong every day."""

from __future__ import annotations

from collections import Counter

import pytest

from demo.blueprint import FILE, Blueprint, read_blueprint
from demo.timeline import AIRPORTS, FLIGHT_METRICS, WEATHER_METRICS

VALUES = {
    "webhook_url": "http://127.0.0.1:1/webhook",
    "webhook_secret": "whsec_c2VjcmV0",
    "slack_url": "http://127.0.0.1:1/services/demo",
}


@pytest.fixture(scope="module")
def blueprint() -> Blueprint:
    return read_blueprint(FILE.read_text(), VALUES)


def test_every_airport_has_every_metric_that_the_data_has(blueprint: Blueprint) -> None:
    slugs = {airport.lower() for airport in AIRPORTS}
    assert {framework["slug"] for framework in blueprint.frameworks} == slugs
    made = Counter((metric["framework"], metric["name"]) for metric in blueprint.metrics)
    wanted = {(slug, name) for slug in slugs for name in (*FLIGHT_METRICS, *WEATHER_METRICS)}
    assert made == Counter(wanted)


def test_rules_have_names_of_their_own_and_watch_metrics_that_exist(blueprint: Blueprint) -> None:
    names = [rule["name"] for rule in blueprint.rules]
    assert len(set(names)) == len(names)
    metrics = {(metric["framework"], metric["name"]) for metric in blueprint.metrics}
    assert {(rule["framework"], rule["metric"]) for rule in blueprint.rules} <= metrics
    channels = {channel["name"] for channel in blueprint.channels}
    assert {name for rule in blueprint.rules for name in rule["channels"]} == channels


def test_every_type_of_rule_is_shown(blueprint: Blueprint) -> None:
    types = {rule["type"] for rule in blueprint.rules}
    assert types == {"threshold", "anomaly", "performance", "milestone"}


def test_placeholders_are_filled_and_one_without_a_value_is_refused(blueprint: Blueprint) -> None:
    (pager,) = [channel for channel in blueprint.channels if channel["name"] == "pager"]
    assert pager["config"]["url"] == VALUES["webhook_url"]
    assert pager["secret"]["secrets"] == [VALUES["webhook_secret"]]
    with pytest.raises(KeyError, match="slack_url"):
        read_blueprint(FILE.read_text(), {n: v for n, v in VALUES.items() if n != "slack_url"})
