"""What a pattern of two rules looks like: titles, labels and cards as in `describe`."""

from __future__ import annotations

from typing import Any

import numpy as np

from convex.patterns.describe import Proof, about, by_time
from convex.patterns.episodes import Episodes
from convex.patterns.model import SECOND, Finding, Frequency, History, Instants, Type
from convex.patterns.pairs import near
from convex.patterns.statistics import wilson
from convex.patterns.together import Meeting
from convex.patterns.wall_clock import to_datetime
from convex.patterns.wording import LAST_THIRD, show_seconds


def correlated_finding(
    history: History, episodes: Episodes, a: int, b: int, found: Meeting, proof: Proof
) -> Finding:
    """Two subjects that fire together."""
    one, other = history.subjects[a], history.subjects[b]
    starts_a, starts_b = episodes.starts_of(a), episodes.starts_of(b)
    # Meetings were counted on the wall clock; an hour that is set back cannot matter for so short
    # a window except within that hour.
    near_a = near(starts_a, starts_b, found.low, found.high)
    near_b = near(starts_b, starts_a, found.low, found.high)
    shares = {}
    for name, met, n in (("first", near_a, found.n_a), ("second", near_b, found.n_b)):
        hits = min(int(met.sum()), n)
        low, high = wilson(hits, n)
        shares[name] = {
            "hits": hits,
            "of": n,
            "value": round(hits / n, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }
    window = (found.high + 1) // SECOND
    mostly = max(share["value"] for share in shares.values()) >= 0.5
    how = "fire together" if mostly else "fire together more often than by chance"
    label = (
        f"together {found.met} times: {shares['first']['hits']} of {found.n_a}"
        f" and {shares['second']['hits']} of {found.n_b}"
    )
    evidence = {
        "label": label,
        "test": _pair_test(
            found,
            proof,
            "interval jitter and whole-day shifts, the larger p",
            windows_tried=found.tried,
        ),
        "effect": {
            "name": "share of each rule's episodes that meet the other's",
            **shares,
            "met": found.met,
            "expected": round(found.expected, 2),
            "lift": _lift(found),
            "window_seconds": window,
        },
        "out_of_sample": _later_share(history, starts_a, starts_b, found),
        **about(history, [a, b], episodes),
    }
    rows = np.concatenate([episodes.rows_of(a, near_a), episodes.rows_of(b, near_b)])
    return Finding(
        Type.CORRELATED,
        one,
        other,
        f"{one.name} and {other.name} {how}",
        label,
        Frequency.NONE,
        None,
        proof.confidence,
        found.met,
        proof.p_value,
        proof.q_value,
        by_time(history, rows),
        to_datetime(int(starts_a[near_a][-1])) if near_a.any() else None,
        None,
        evidence,
    )


def following_finding(
    history: History, episodes: Episodes, cause: int, effect: int, found: Meeting, proof: Proof
) -> Finding:
    """A subject (`effect`) that fires after another (`cause`)."""
    before, after = history.subjects[cause], history.subjects[effect]
    starts_a, starts_b = episodes.starts_of(cause), episodes.starts_of(effect)
    assert found.lags is not None
    led = near(starts_a, starts_b, found.low, found.high)
    came = near(starts_b, starts_a, -found.high, -found.low)
    low, high = wilson(found.met, found.n_a)
    early, middle, late = found.lags
    label = f"after {show_seconds(middle)}, {found.met} of {found.n_a} times"
    # Only while it is still open whether the effect comes has the next time a date.
    waiting = starts_a[-1] + found.high > history.end and not led[-1]
    evidence = {
        "label": label,
        "test": _pair_test(
            found,
            proof,
            "interval jitter and whole-day shifts, the larger p",
            backward=found.backward,
            p_asymmetry=found.p_asymmetry,
            lags_tried=found.tried,
        ),
        "effect": {
            "name": "share of the first rule's episodes that the second follows",
            "value": round(found.met / found.n_a, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "met": found.met,
            "expected": round(found.expected, 2),
            "lift": _lift(found),
            "window_seconds": found.high // SECOND,
        },
        "lag_seconds": {"median": middle, "low": early, "high": late, "interval": "quartiles"},
        "out_of_sample": _later_share(history, starts_a, starts_b, found),
        **about(history, [effect, cause], episodes),
    }
    rows = np.concatenate([episodes.rows_of(cause, led), episodes.rows_of(effect, came)])
    return Finding(
        Type.TRIGGERED_BY,
        after,
        before,
        f"{after.name} follows {before.name} after about {show_seconds(middle)}",
        label,
        Frequency.NONE,
        None,
        proof.confidence,
        found.met,
        proof.p_value,
        proof.q_value,
        by_time(history, rows),
        to_datetime(int(starts_b[came][-1])) if came.any() else None,
        to_datetime(int(starts_a[-1] + middle * SECOND)) if waiting else None,
        evidence,
    )


def _pair_test(found: Meeting, proof: Proof, name: str, **more: object) -> dict[str, Any]:
    return proof.as_json(name, p_jitter=found.p_jitter, p_shift=found.p_shift, **more)


def _lift(found: Meeting) -> float | None:
    return round(found.met / found.expected, 2) if found.expected > 0 else None


def _later_share(
    history: History, a: Instants, b: Instants, found: Meeting
) -> dict[str, Any] | None:
    """In the last third, how often `a` meets `b`."""
    start = int(min(a[0], b[0]))
    later = a[a >= start + (history.end - start) * LAST_THIRD]
    if not len(later):
        return None
    hits = int(near(later, b, found.low, found.high).sum())
    return {
        "kind": "share_of_the_first_rule_met",
        "hits": hits,
        "of": len(later),
        "rate": round(hits / len(later), 4),
    }
