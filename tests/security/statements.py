"""Random SQL of somebody who would see, or change, another workspace's rows.

What is made is mostly valid, so that it gets past the parser and as far as the policies. It says
neither `set_config` nor `SET`: an identity is a setting of the session, so whoever could send *any*
SQL could also take another one. That nobody can is what the tests of injection are for.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Columns = Sequence[tuple[str, str]]  # name and type


@dataclass(frozen=True, slots=True)
class Target:
    """What there is to attack: relations with their columns, functions with types of arguments,
    and what is known of the victim, as literals by type.
    """

    relations: Mapping[str, Columns]
    functions: Mapping[str, Sequence[str]]
    literals: Mapping[str, Sequence[str]]


class Attacker:
    """Makes one statement after the other."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._names = sorted(target.relations)

    def reading(self) -> str:
        """A statement whose rows, or whose error, might show something."""
        return self._pick(
            [
                self._select,
                self._joined,
                self._aggregated,
                self._combined,
                self._by_error,
                self._called,
                self._recursive,
                self._correlated,
            ]
        )()

    def writing(self) -> str:
        """A statement that might change something."""
        return self._pick(
            [self._update, self._delete, self._insert, self._upsert, self._merge, self._called]
        )()

    def _pick(self, options: Sequence[T]) -> T:
        return self._chance.choice(options)

    def _relation(self) -> tuple[str, Columns]:
        name = self._pick(self._names)
        return name, self._target.relations[name]

    def _literal(self, kind: str) -> str:
        if kind.endswith("[]"):
            some = [self._literal(kind[:-2]) for _ in range(self._chance.randint(0, 3))]
            return f"ARRAY[{', '.join(some)}]::{kind}"
        return self._pick(self._target.literals.get(kind, ["NULL"]))

    def _condition(self, alias: str, columns: Columns, depth: int = 0) -> str:
        name, kind = self._pick(columns)
        column = f"{alias}.{name}"
        options = [
            "true",
            f"{column} IS NOT NULL",
            f"{column} = {self._literal(kind)}",
            f"{column} IS DISTINCT FROM {self._literal(kind)}",
            f"{column}::text ~ '.'",
            f"{alias}::text LIKE '%a%'",
        ]
        if any(name == "workspace_id" for name, _ in columns):
            options += [f"{alias}.workspace_id = {self._literal('uuid')}"] * 3
            options.append(f"{alias}.workspace_id <> convex.acting_workspace()")
        if depth < 2:
            left, right = (self._condition(alias, columns, depth + 1) for _ in range(2))
            other, others = self._relation()
            inner = self._condition("e", others, depth + 1)
            options += [
                f"({left} OR {right})",
                f"NOT ({left})",
                f"EXISTS (SELECT FROM {other} AS e WHERE {inner})",
            ]
        return self._pick(options)

    def _select(self) -> str:
        name, columns = self._relation()
        order = self._pick(["", f" ORDER BY {self._pick(columns)[0]}", " ORDER BY random()"])
        lock = self._pick(["", "", "", " FOR UPDATE", " FOR KEY SHARE SKIP LOCKED"])
        return (
            f"SELECT to_jsonb(t)::text FROM {name} AS t"
            f" WHERE {self._condition('t', columns)}{order} LIMIT 200{lock}"
        )

    def _joined(self) -> str:
        (one, ones), (two, twos) = self._relation(), self._relation()
        kind = self._pick(["INNER", "LEFT", "RIGHT", "FULL"])
        on = "true" if kind != "FULL" else "a.ctid = b.ctid"
        return (
            f"SELECT to_jsonb(a)::text || coalesce(to_jsonb(b)::text, '') FROM {one} AS a"
            f" {kind} JOIN {two} AS b ON {on} WHERE {self._condition('a', ones)}"
            f" OR {self._condition('b', twos)} LIMIT 200"
        )

    def _aggregated(self) -> str:
        name, columns = self._relation()
        column = self._pick(columns)[0]
        made = self._pick(
            [
                f"string_agg({column}::text, ',')",
                f"max({column}::text)",
                "jsonb_agg(t)::text",
                f"(array_agg({column} ORDER BY random()))[1]::text",
                f"json_object_agg(coalesce({column}::text, ''), t.*)::text",
            ]
        )
        return f"SELECT {made} FROM {name} AS t WHERE {self._condition('t', columns)}"

    def _combined(self) -> str:
        verb = self._pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])
        return f"({self._select_plain()}) {verb} ({self._select_plain()})"

    def _select_plain(self) -> str:
        name, columns = self._relation()
        return f"SELECT t::text FROM {name} AS t WHERE {self._condition('t', columns)} LIMIT 100"

    def _by_error(self) -> str:
        """What a cast cannot read is named in its error."""
        name, columns = self._relation()
        column = self._pick(columns)[0]
        return (
            f"SELECT ('x' || {column}::text)::integer FROM {name} AS t"
            f" WHERE {self._condition('t', columns)}"
        )

    def _called(self) -> str:
        name = self._pick(sorted(self._target.functions))
        arguments = ", ".join(
            f"{self._literal(kind)}::{kind}" for kind in self._target.functions[name]
        )
        return f"SELECT to_jsonb(f)::text FROM {name}({arguments}) AS f"

    def _recursive(self) -> str:
        name, columns = self._relation()
        return (
            f"WITH RECURSIVE w AS (SELECT t::text AS said, 1 AS step FROM {name} AS t"
            f" WHERE {self._condition('t', columns)}"
            " UNION SELECT said, step + 1 FROM w WHERE step < 2) SELECT said FROM w LIMIT 200"
        )

    def _correlated(self) -> str:
        (one, ones), (two, twos) = self._relation(), self._relation()
        return (
            f"SELECT s.said FROM {one} AS t CROSS JOIN LATERAL (SELECT u::text AS said"
            f" FROM {two} AS u WHERE {self._condition('u', twos)} LIMIT 3) AS s"
            f" WHERE {self._condition('t', ones)} LIMIT 100"
        )

    def _changed(self, columns: Columns) -> str:
        name, kind = self._pick(columns)
        return f"{name} = {self._pick([name, self._literal(kind), 'DEFAULT'])}"

    def _update(self) -> str:
        name, columns = self._relation()
        return (
            f"UPDATE {name} AS t SET {self._changed(columns)}"
            f" WHERE {self._condition('t', columns)} RETURNING to_jsonb(t)::text"
        )

    def _delete(self) -> str:
        name, columns = self._relation()
        return (
            f"DELETE FROM {name} AS t WHERE {self._condition('t', columns)}"
            " RETURNING to_jsonb(t)::text"
        )

    def _copied(self) -> tuple[str, str]:
        """An INSERT of rows that are there, into the victim's workspace or from it."""
        name, columns = self._relation()
        named, values = [], []
        for column, kind in columns:
            if column == "id" and self._chance.random() < 0.7:
                continue
            named.append(column)
            stolen = column == "workspace_id" or self._chance.random() < 0.15
            values.append(f"{self._literal(kind)}::{kind}" if stolen else f"t.{column}")
        return name, (
            f"INSERT INTO {name} ({', '.join(named)}) SELECT {', '.join(values)} FROM {name} AS t"
            f" WHERE {self._condition('t', columns)} LIMIT 2"
        )

    def _insert(self) -> str:
        name, text = self._copied()
        return f"{text} RETURNING {name.partition('.')[2]}::text"

    def _upsert(self) -> str:
        return self._copied()[1] + " ON CONFLICT DO NOTHING"

    def _merge(self) -> str:
        name, columns = self._relation()
        keys = [column for column, _ in columns if column in ("id", "workspace_id")] or ["ctid"]
        return (
            f"MERGE INTO {name} AS t USING {name} AS s ON t.{keys[0]} = s.{keys[0]}"
            f" WHEN MATCHED AND {self._condition('t', columns)}"
            f" THEN {self._pick(['DELETE', f'UPDATE SET {self._changed(columns)}'])}"
        )
