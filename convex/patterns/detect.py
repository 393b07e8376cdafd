"""One look at the history of a workspace: all tests, the false-discovery control, the findings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convex.patterns import (
    cyclical,
    describe,
    describe_pairs,
    escalating,
    needs,
    pairs,
    seasonal,
    together,
    wording,
)
from convex.patterns.episodes import Episodes, merge
from convex.patterns.model import (
    DAY,
    HOUR,
    Detection,
    Finding,
    History,
    Instants,
    Tested,
    Type,
)
from convex.patterns.statistics import QUALITY, benjamini_hochberg, share_real
from convex.patterns.wall_clock import WallClock

LEAST_LIFT = 1.3
_MOST_REAL_OF_PAIRS = 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """The history in the forms that the tests take; `since` is by subject, in UTC."""

    history: History
    episodes: Episodes
    since: Instants
    clock: WallClock
    local: Instants
    frameworks: NDArray[np.int64]


def detect(history: History) -> Detection:
    """Every significant pattern of the history, by type and p-value. Deterministic.

    The order of triggers and of subjects does not matter.
    """
    if not len(history.opened):
        tested = [_tested(kind, 0, 0, 0, len(history.subjects)) for kind in Type]
        return Detection([], tested, 0, 0)
    look = _look(history)
    seasons = _seasonal(look)
    found = {finding.subject.key: finding for finding in seasons[0]}
    able = int(_eligible(look).sum())
    candidates = pairs.find_candidates(
        look.episodes,
        look.frameworks,
        history.end - int(look.episodes.start.min()) + HOUR,
        max(able * (able - 1) // 2, 1),
    )
    following = _following(look, candidates, able)
    directed = {
        frozenset((f.subject.key, f.other.key)) for f in following[0] if f.other is not None
    }
    parts = [
        seasons,
        _cyclical(look, found),
        _together(look, candidates, able, directed),
        following,
        _escalating(look),
    ]
    return Detection(
        [finding for findings, _ in parts for finding in findings],
        [tested for _, tested in parts],
        len(history.opened),
        len(look.episodes.start),
    )


def _look(history: History) -> Look:
    episodes = merge(history)
    since = np.array([subject.since for subject in history.subjects], np.int64)
    has = episodes.counts > 0
    since[has] = np.minimum(since[has], episodes.start[episodes.first[has]])
    since[~has] = history.end
    clock = WallClock.of(history.zone, int(episodes.start.min()) - DAY, history.end + DAY)
    names = sorted({subject.framework for subject in history.subjects})
    number = {name: at for at, name in enumerate(names)}
    frameworks = np.array([number[subject.framework] for subject in history.subjects], np.int64)
    return Look(history, episodes, since, clock, clock.local(episodes.start), frameworks)


def _seasonal(look: Look) -> tuple[list[Finding], Tested]:
    episodes = look.episodes
    local_end = int(look.clock.local(np.array([look.history.end]))[0])
    tests = seasonal.test_seasons(episodes, look.local, look.clock.local(look.since), local_end)
    tested = np.flatnonzero(~np.isnan(tests.p_values))
    p_values = tests.p_values[tested]
    q_values = benjamini_hochberg(p_values)
    real = share_real(p_values)
    findings = []
    for at in np.flatnonzero(q_values <= QUALITY):
        subject = int(tested[at])
        card = wording.measure_season(
            look.local[episodes.first[subject] : episodes.last[subject]],
            tests.by_test[:, subject],
            int(look.clock.local(look.since[[subject]])[0]),
            local_end,
        )
        if card.hits < needs.SEASONAL_CYCLES or card.lift < LEAST_LIFT:
            continue
        findings.append(
            describe.seasonal_finding(
                look.history,
                episodes,
                subject,
                look.clock,
                card,
                describe.Proof(float(p_values[at]), float(q_values[at]), real, len(tested)),
            )
        )
    return _sorted(findings), _tested(
        Type.SEASONAL,
        len(tested),
        int((q_values <= QUALITY).sum()),
        len(findings),
        len(look.history.subjects) - len(tested),
    )


def _cyclical(look: Look, seasons: dict[str, Finding]) -> tuple[list[Finding], Tested]:
    episodes = look.episodes
    p_all = cyclical.test_cycles(episodes)
    tested = np.flatnonzero(~np.isnan(p_all))
    q_values = benjamini_hochberg(p_all[tested])
    real = share_real(p_all[tested])
    findings = []
    for at in np.flatnonzero(q_values <= QUALITY):
        subject = int(tested[at])
        cycle = cyclical.measure_cycle(episodes, subject)
        known = seasons.get(look.history.subjects[subject].key)
        if cycle.spread > cyclical.MOST_SPREAD or (known and _is_calendar(cycle.period, known)):
            continue
        proof = describe.Proof(float(p_all[subject]), float(q_values[at]), real, len(tested))
        findings.append(describe.cyclical_finding(look.history, episodes, subject, cycle, proof))
    return _sorted(findings), _tested(
        Type.CYCLICAL,
        len(tested),
        int((q_values <= QUALITY).sum()),
        len(findings),
        len(look.history.subjects) - len(tested),
    )


def _is_calendar(period: float, season: Finding) -> bool:
    """Whether a cycle is only the season seen again: as long, or so many times a day."""
    if season.period_seconds is None:
        return False
    times = max(season.period_seconds / period, period / season.period_seconds)
    return times < 31 and abs(times - round(times)) / times < 0.15


def _escalating(look: Look) -> tuple[list[Finding], Tested]:
    episodes, end = look.episodes, look.history.end
    days = (end - look.since) / DAY
    enough = (episodes.counts >= needs.ESCALATING_EPISODES) & (days >= needs.ESCALATING_DAYS)
    tested = np.flatnonzero(enough)
    grown = []
    for subject in tested.tolist():
        starts, ends = episodes.starts_of(subject), episodes.ends_of(subject)
        since = int(look.since[subject])
        if starts[0] == since:  # seen since its first: what follows the first is what chance moves
            starts, ends = starts[1:], ends[1:]
        grown.append(escalating.measure_growth(starts, ends, since, end))
    p_values = np.array([one.p_value for one in grown])
    q_values = benjamini_hochberg(p_values)
    real = share_real(p_values)
    findings = []
    for at in np.flatnonzero(q_values <= QUALITY):
        if grown[at].ratio < escalating.LEAST_RATIO:
            continue
        proof = describe.Proof(float(p_values[at]), float(q_values[at]), real, len(tested))
        findings.append(
            describe.escalating_finding(
                look.history,
                episodes,
                int(tested[at]),
                int(look.since[tested[at]]),
                grown[at],
                proof,
            )
        )
    return _sorted(findings), _tested(
        Type.ESCALATING,
        len(tested),
        int((q_values <= QUALITY).sum()),
        len(findings),
        len(look.history.subjects) - len(tested),
    )


def _eligible(look: Look) -> NDArray[np.bool_]:
    days = (look.history.end - look.since) / DAY
    found: NDArray[np.bool_] = (look.episodes.counts >= needs.PAIR_EPISODES) & (
        days >= needs.PAIR_DAYS
    )
    return found


def _pair(look: Look, a: int, b: int) -> pairs.Sequence2 | None:
    local = look.local
    first, last = look.episodes.first, look.episodes.last
    since = look.clock.local(look.since[[a, b]])
    end = int(look.clock.local(np.array([look.history.end]))[0])
    return pairs.common_time(
        local[first[a] : last[a]], local[first[b] : last[b]], int(since[0]), int(since[1]), end
    )


def _together(
    look: Look, candidates: pairs.Candidates, able: int, directed: set[frozenset[str]]
) -> tuple[list[Finding], Tested]:
    family = able * (able - 1) // 2
    subjects = look.history.subjects
    known: list[tuple[int, int]] = []
    tested: list[pairs.Sequence2] = []
    for pair in zip(candidates.first.tolist(), candidates.second.tolist(), strict=True):
        a, b = sorted(pair, key=lambda one: (subjects[one].name, subjects[one].key))
        both = _pair(look, a, b)
        if both is not None:
            known.append((a, b))
            tested.append(both)
    found_by_pair = together.test_together(tested, QUALITY * len(tested) / max(family, 1))
    kept = [
        (a, b, found)
        for (a, b), found in zip(known, found_by_pair, strict=True)
        if found is not None
    ]
    p_values = np.array([found.p_value for _, _, found in kept])
    q_values = benjamini_hochberg(p_values, family)
    real = share_real(p_values, family, most=_MOST_REAL_OF_PAIRS)
    findings = []
    for at in np.flatnonzero(q_values <= QUALITY):
        a, b, found = kept[at]
        if frozenset((subjects[a].key, subjects[b].key)) in directed:
            continue
        if together.is_together(found):
            proof = describe.Proof(float(p_values[at]), float(q_values[at]), real, family)
            findings.append(
                describe_pairs.correlated_finding(look.history, look.episodes, a, b, found, proof)
            )
    return _sorted(findings), _tested(
        Type.CORRELATED,
        family,
        int((q_values <= QUALITY).sum()),
        len(findings),
        len(subjects) - able,
        candidates.cut,
    )


def _following(look: Look, candidates: pairs.Candidates, able: int) -> tuple[list[Finding], Tested]:
    family = able * (able - 1)
    known: list[tuple[int, int]] = []
    tested: list[pairs.Sequence2] = []
    lags: list[tuple[int, ...]] = []
    columns = (candidates.first.tolist(), candidates.second.tolist(), candidates.wide.tolist())
    for a, b, wide in zip(*columns, strict=True):
        both = _pair(look, a, b)
        if both is not None:
            known += [(a, b), (b, a)]
            tested += [both, pairs.Sequence2(both.b, both.a, both.start, both.days)]
            lags += [pairs.LAGS if wide else pairs.LAGS[:1]] * 2
    found_by_pair = together.test_following(tested, lags, QUALITY * len(tested) / max(family, 1))
    kept = [
        (cause, effect, found)
        for (cause, effect), found in zip(known, found_by_pair, strict=True)
        if found is not None
    ]
    p_values = np.array([found.p_value for _, _, found in kept])
    q_values = benjamini_hochberg(p_values, family)
    real = share_real(p_values, family, most=_MOST_REAL_OF_PAIRS)
    findings = []
    for at in np.flatnonzero(q_values <= QUALITY):
        cause, effect, found = kept[at]
        if together.is_one_way(found):
            proof = describe.Proof(float(p_values[at]), float(q_values[at]), real, family)
            findings.append(
                describe_pairs.following_finding(
                    look.history, look.episodes, cause, effect, found, proof
                )
            )
    return _sorted(findings), _tested(
        Type.TRIGGERED_BY,
        family,
        int((q_values <= QUALITY).sum()),
        len(findings),
        len(look.history.subjects) - able,
        candidates.cut,
    )


def _tested(
    kind: Type, eligible: int, significant: int, found: int, too_short: int, cut: str = ""
) -> Tested:
    return Tested(kind, eligible, significant, found, too_short, needs.NEEDS[kind], cut)


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.p_value, one.fingerprint))
