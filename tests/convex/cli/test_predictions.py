"""`convex predictions`: a run and a backtest, for people and for machines."""

from __future__ import annotations

from convex.db import Database
from tests.conftest import make_tenant
from tests.convex.cli.conftest import Convex
from tests.convex.predictions.conftest import make_watched


def test_a_workspace_without_rules_is_told_so(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    ended = convex("predictions", "run", "--json")
    assert ended.status == 0
    assert ended.json == {"run_id": None, "predictions": 0, "rules": 0, "notified": 0}
    ended = convex("predictions", "backtest")
    assert ended.status == 0
    assert "not enough history" in ended.out
    ended = convex("predictions", "run", "--workspace", "nowhere")
    assert (ended.status, "nowhere" in ended.err) == (1, True)


async def test_a_backtest_prints_every_figure_for_machines(
    convex: Convex, fresh_worker: Database
) -> None:
    await make_watched(fresh_worker, await make_tenant(fresh_worker))
    until = ("--from", "2026-02-01", "--to", "2026-03-02")
    ended = convex("predictions", "backtest", *until, "--json")
    assert ended.status == 0, ended.err
    assert ended.json["from"].startswith("2026-02-01")
    assert set(ended.json["horizons"]) == {"6", "24", "48", "72"}
    for scores in ended.json["horizons"].values():
        assert set(scores["experts"]) == {
            "climatology",
            "seasonal_poisson",
            "metric_crossing",
            "logistic_events",
            "logistic_all",
            "gradient_boosting",
            "blend",
        }
        for one in (scores["mixture"], *scores["experts"].values()):
            assert {"n", "base_rate", "brier", "skill", "skill_interval", "auc", "ece"} <= set(one)
            assert one["n"] == scores["mixture"]["n"] > 0
