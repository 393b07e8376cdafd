"""The whole method on a world whose structure is known; no outcome may reach back in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convex.predictions.features import ALL_NAMES, Table, build_tables
from convex.predictions.forecast import forecast, never_less_likely, origins_of
from convex.predictions.hindcast import Hindcast, hindcast
from convex.predictions.model import EXPERTS, HORIZONS, Expert
from convex.predictions.panel import Panel
from convex.predictions.scorecard import score
from tests.convex.predictions.worlds import measured_world

SINCE, CUT = 60 * 24, 80 * 24


@pytest.fixture(scope="module")
def world() -> Panel:
    return measured_world()


@pytest.fixture(scope="module")
def tables(world: Panel) -> dict[int, Table]:
    return build_tables(world, origins_of(world.hours))


@pytest.fixture(scope="module")
def past(world: Panel, tables: dict[int, Table]) -> Hindcast:
    return hindcast(tables[6], SINCE, world.hours)


def corrupted(world: Panel) -> Panel:
    """Everything at and after `CUT` is another world."""
    other = measured_world(seed=99)
    openings, margins, firing = world.openings.copy(), world.margins.copy(), world.firing.copy()
    openings[:, CUT:] = other.openings[:, CUT:][:, ::-1]
    margins[:, CUT:] = -5 * other.margins[:, CUT:]
    firing[:, CUT + 1 :] = ~firing[:, CUT + 1 :]
    return replace(world, openings=openings, margins=margins, firing=firing)


def test_no_feature_looks_ahead(world: Panel, tables: dict[int, Table]) -> None:
    origins = origins_of(world.hours)
    before = origins <= CUT
    other = build_tables(corrupted(world), origins)
    for horizon, table in tables.items():
        changed = other[horizon]
        np.testing.assert_array_equal(table.values[:, before], changed.values[:, before])
        np.testing.assert_array_equal(table.climatology[:, before], changed.climatology[:, before])
        np.testing.assert_array_equal(table.seasonal[:, before], changed.seasonal[:, before])
        np.testing.assert_array_equal(table.crossing[:, before], changed.crossing[:, before])
        assert not np.array_equal(table.values[:, ~before], changed.values[:, ~before])


def test_no_prediction_looks_ahead(world: Panel, past: Hindcast) -> None:
    other = build_tables(corrupted(world), origins_of(world.hours))[6]
    changed = hindcast(other, SINCE, world.hours, final_fit=False)
    before = past.origins <= CUT
    np.testing.assert_array_equal(past.experts[:, :, before], changed.experts[:, :, before])
    np.testing.assert_array_equal(past.mixed[:, before], changed.mixed[:, before])
    assert not np.array_equal(past.mixed[:, ~before], changed.mixed[:, ~before])


def test_predictions_are_the_same_every_time(
    world: Panel, tables: dict[int, Table], past: Hindcast
) -> None:
    again = hindcast(tables[6], SINCE, world.hours)
    np.testing.assert_array_equal(past.mixed, again.mixed)
    np.testing.assert_array_equal(past.weights, again.weights)


def test_everything_said_is_a_probability(past: Hindcast) -> None:
    for said in (past.experts, past.mixed, past.climatology):
        assert ((said > 0) & (said < 1)).all()


def test_the_method_learns_what_can_be_known(past: Hindcast, world: Panel) -> None:
    ended = past.origins + past.horizon <= world.hours
    block = np.broadcast_to(past.origins[ended] // 168, past.outcome[:, ended].shape)
    found = score(
        past.mixed[:, ended].ravel(),
        past.climatology[:, ended].ravel(),
        past.outcome[:, ended].ravel(),
        block.ravel(),
    )
    assert found is not None
    assert found.skill is not None
    assert found.interval is not None
    assert found.skill > 0.1
    assert found.interval[0] > 0
    assert past.weights[EXPERTS.index(Expert.CLIMATOLOGY)] < 0.1


def test_names_and_columns_agree(tables: dict[int, Table]) -> None:
    count = tables[6].values.shape[2]
    assert count > len(ALL_NAMES)
    assert all(np.isfinite(table.values).all() for table in tables.values())
    assert {table.values.shape[2] for table in tables.values()} == {count}


def test_a_forecast_covers_every_rule_and_grows_with_the_horizon(world: Panel) -> None:
    quiet = replace(
        world,
        rules=(*world.rules, replace(world.rules[0], id=world.rules[1].framework_id)),
        openings=np.vstack([world.openings, np.zeros((1, world.hours), np.uint8)]),
        firing=np.vstack([world.firing, np.zeros((1, world.hours + 1), np.bool_)]),
        margins=np.vstack([world.margins, np.full((1, world.hours), np.nan, np.float32)]),
        measured=np.append(world.measured, False),
    )
    outlooks = forecast(quiet)
    assert set(outlooks) == set(HORIZONS)
    before = np.zeros(len(quiet.rules))
    for horizon in HORIZONS:
        outlook = outlooks[horizon]
        assert ((outlook.probability > 0) & (outlook.probability < 1)).all()
        assert ((outlook.climatology > 0) & (outlook.climatology < 1)).all()
        assert (outlook.probability >= before).all()
        assert sum(outlook.weights.values()) == pytest.approx(1)
        assert outlook.card is not None
        before = outlook.probability
    assert outlooks[24].climatology[-1] < outlooks[24].climatology[:-1].min()
    never_less_likely(outlooks)  # without effect the second time
    np.testing.assert_array_equal(outlooks[72].probability, before)


def test_where_nothing_has_ever_fired_nothing_is_said(world: Panel) -> None:
    silent = replace(world, openings=np.zeros_like(world.openings))
    assert forecast(silent) == {}
