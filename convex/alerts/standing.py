"""What evaluating a batch takes: which rules watch its metrics, and where they stand on its series.

Both are asked in the pipeline that stores the points, so that knowing them costs no round trip.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import DictRow, TupleRow

from convex.alerts import states
from convex.alerts.model import Rule, RuleState
from convex.alerts.rule_store import RULE_COLUMNS, RULE_FROM, read_rule
from convex.db import Connection
from convex.metrics.arrays import Uuids, array_cursor
from convex.metrics.catalog import Place
from convex.metrics.model import IntArray

_ROW = struct.Struct("!16sii")  # a rule, its version and its metric's, as the server sends them
_MOST_RULES = 50_000
_MOST_SETS = 1_000
_MOST_WATCHED = 50_000

# What this process has read. A change of a rule or of its metric makes another version, and the
# versions are asked for every time: what is kept under them is never out of date.
_rules: dict[UUID, tuple[tuple[int, int], Rule]] = {}
_sets: dict[bytes, tuple[Rule, ...]] = {}
# Workspaces whose batches had rules the last time: there it is worth asking where they stand before
# it is known that there are any.
_watched: set[UUID] = set()


class Standing:
    """Asked once for each batch: first `ask`, inside a pipeline, then `read`, after it."""

    def __init__(self, connection: Connection, workspace_id: UUID) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._metrics: dict[UUID, UUID] = {}
        self._rules: AsyncCursor[TupleRow] | None = None
        self._states: AsyncCursor[DictRow] | None = None

    async def ask(self, places: Sequence[Place], ids: IntArray) -> None:
        """Send the questions: about the metrics of these places, on these series."""
        firsts = {place.metric_number: place for place in places}
        self._metrics = {place.metric_id: place.framework_id for place in firsts.values()}
        self._rules = array_cursor(self._connection)
        await self._rules.execute(
            "SELECT string_agg(uuid_send(w.id) || int4send(w.version) || int4send(w.of_metric),"
            " '' ORDER BY w.id) FROM (SELECT r.id, r.version, m.version AS of_metric"
            " FROM convex.alert_rules AS r INNER JOIN convex.metrics AS m"
            " ON m.workspace_id = r.workspace_id AND m.id = r.metric_id"
            " WHERE r.workspace_id = %s AND r.metric_id = ANY(%s) AND r.enabled"
            " AND r.deleted_at IS NULL"
            " UNION ALL SELECT r.id, r.version, 0 FROM convex.alert_rules AS r"
            " WHERE r.workspace_id = %s AND r.framework_id = ANY(%s) AND r.metric_id IS NULL"
            " AND r.enabled AND r.deleted_at IS NULL) AS w",
            (
                *(self._workspace_id, Uuids(list(self._metrics))),
                *(self._workspace_id, Uuids(list(set(self._metrics.values())))),
            ),
        )
        self._states = None
        if self._workspace_id in _watched:
            self._states = await states.ask_states(self._connection, self._workspace_id, ids)

    async def read(
        self, ids: IntArray
    ) -> tuple[dict[UUID, list[Rule]], Mapping[states.StateKey, RuleState]]:
        """The enabled rules of each metric, joint ones of its framework too, in the order of their
        ids; and where they stand on these series, whose rows the caller has locked.
        """
        assert self._rules is not None
        row = await self._rules.fetchone()
        packed = b"" if row is None or row[0] is None else bytes(row[0])
        if not packed:
            _watched.discard(self._workspace_id)
            return {}, {}
        if len(_watched) > _MOST_WATCHED:
            _watched.clear()
        _watched.add(self._workspace_id)
        rules = _sets.get(packed)
        if rules is None:
            rules = await self._read_rules(packed)
        asked = self._states
        if asked is None:
            asked = await states.ask_states(self._connection, self._workspace_id, ids)
        return self._by_metric(rules), await states.read_states(asked, rules)

    async def _read_rules(self, packed: bytes) -> tuple[Rule, ...]:
        found = {
            UUID(bytes=raw): (version, of_metric)
            for raw, version, of_metric in _ROW.iter_unpack(packed)
        }
        unknown = [
            rule_id
            for rule_id, versions in found.items()
            if (kept := _rules.get(rule_id)) is None or kept[0] != versions
        ]
        if unknown:
            if len(_rules) > _MOST_RULES:
                _rules.clear()
                unknown = list(found)
            rows = await self._connection.execute(
                f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE r.id = ANY(%s)", (unknown,)
            )
            for row in await rows.fetchall():
                _rules[row["id"]] = (found[row["id"]], read_rule(row))
        rules = tuple(_rules[rule_id][1] for rule_id in found)
        if len(_sets) > _MOST_SETS:
            _sets.clear()
        _sets[packed] = rules
        return rules

    def _by_metric(self, rules: Sequence[Rule]) -> dict[UUID, list[Rule]]:
        by_metric: dict[UUID, list[Rule]] = {}
        for rule in rules:
            if rule.metric_id is not None:
                by_metric.setdefault(rule.metric_id, []).append(rule)
                continue
            for metric_id, framework_id in self._metrics.items():
                if framework_id == rule.framework_id:
                    by_metric.setdefault(metric_id, []).append(rule)
        return by_metric
