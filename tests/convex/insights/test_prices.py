"""Prices hold from their day on, and by the length of the prompt."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.insights.model import Usage
from convex.insights.prices import find_prices

AUTUMN, WINTER = date(2026, 9, 1), date(2026, 11, 24)


def cost(model: str, on: date, usage: Usage, *, batch: bool = False) -> float:
    found = find_prices(model, on)
    assert found is not None
    return found.cost(usage, batch=batch)


def test_a_price_holds_from_its_day_on() -> None:
    read = Usage(cache_read=1_000_000)
    assert cost("claude-sonnet-5-5", AUTUMN, read) == pytest.approx(0.20)
    assert cost("claude-sonnet-5-5", WINTER, read) == pytest.approx(0.10)


def test_long_prompts_have_their_own_price() -> None:
    short, long = Usage(input=100_000, output=1000), Usage(input=100_001, output=1000)
    assert cost("claude-haiku-5-5", WINTER, short) == pytest.approx(0.0105)
    assert cost("claude-haiku-5-5", WINTER, long) == pytest.approx(0.0525005)


def test_a_batch_is_half_the_price_and_a_snapshot_costs_what_its_model_does() -> None:
    usage = Usage(input=1000, cache_read=500, cache_write=200, output=300, thinking=100)
    whole = cost("claude-sonnet-5-5", WINTER, usage)
    assert cost("claude-sonnet-5-5", WINTER, usage, batch=True) == pytest.approx(whole / 2)
    assert cost("claude-sonnet-5-5-20261001", WINTER, usage) == pytest.approx(whole)


def test_thinking_is_billed_once() -> None:
    usage = Usage(output=1_000_000, thinking=900_000)
    assert cost("claude-sonnet-5-5", WINTER, usage) == pytest.approx(10.0)


def test_a_model_that_nobody_knows_has_no_price_unless_it_is_given_one() -> None:
    assert find_prices("claude-from-next-year", WINTER) is None
    given_one = find_prices("mine", WINTER, {"mine": (1.0, 2.0, 3.0, 4.0)})
    assert given_one is not None
    assert given_one.cost(Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000)) == pytest.approx(10.0)
    assert given_one.of == "settings"


@given(
    tokens=st.integers(0, 200_000),
    cached=st.integers(0, 200_000),
    written=st.integers(0, 200_000),
    output=st.integers(0, 8000),
    model=st.sampled_from(["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"]),
)
def test_no_call_costs_more_than_was_reserved_for_it(
    tokens: int, cached: int, written: int, output: int, model: str
) -> None:
    found = find_prices(model, WINTER)
    assert found is not None
    prompt = tokens + cached + written
    used = found.cost(Usage(tokens, cached, written, output))
    assert used <= found.most(prompt, 8000) + 1e-12
