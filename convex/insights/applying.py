"""What accepting a recommendation changes, and how that is taken back. The caller owns the
transaction, in which the change and the decision stand or fall together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.alerts import inhibitions, mute_windows, rule_service, rule_store
from convex.alerts.code.document import entry_of
from convex.alerts.code.write import write_entries
from convex.alerts.describe import format_duration, parse_duration
from convex.alerts.matchers import read_matchers
from convex.alerts.model import Provenance, Severity
from convex.db import Connection, Identity
from convex.errors import Conflict, InvalidInput, NotFound
from convex.insights.recommendation import Recommendation

_DURATIONS = ("for", "keep_firing_for")
_PLAIN = ("threshold_value", "change_percentage", "recovery_threshold", "enabled")


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed, and the newest live event's cursor if triggers were ended by it."""

    applied: dict[str, Any]
    cursor: int | None = None


async def apply(
    connection: Connection, identity: Identity, accepted: Recommendation, *, now: datetime
) -> Change:
    """Do what its action says. What only people can do changes nothing (`by_hand`).

    A rule that is kept as code is not changed here: `file` is its entry as it should be. Raises
    `Conflict` when the rule is gone, `InvalidInput` when the change cannot work any more.
    """
    action = accepted.action
    match action["kind"]:
        case "update_rule":
            return await _update_rule(connection, identity, action, now)
        case "mute_window":
            window = await mute_windows.create_mute_window(
                connection,
                identity,
                mute_windows.MuteWindowDraft(
                    name=action["name"],
                    matchers=read_matchers(action["matchers"]),
                    timezone=action["timezone"],
                    intervals=tuple(
                        mute_windows.Interval(
                            one["start"], one["end"], tuple(one.get("days") or ())
                        )
                        for one in action["intervals"]
                    ),
                ),
            )
            return Change({"kind": "mute_window", "id": str(window.id)})
        case "inhibition_rule":
            made = await inhibitions.create_inhibition(
                connection,
                identity,
                inhibitions.InhibitionDraft(
                    name=action["name"],
                    source_matchers=read_matchers(action["source_matchers"]),
                    target_matchers=read_matchers(action["target_matchers"]),
                    equal_labels=tuple(action.get("equal_labels") or ()),
                ),
            )
            return Change({"kind": "inhibition_rule", "id": str(made.id)})
        case _:
            return Change({"kind": "by_hand"})


async def take_back(
    connection: Connection, identity: Identity, applied: Mapping[str, Any], *, now: datetime
) -> Change:
    """Undo it. Raises `Conflict` when what was changed has been changed again since."""
    match applied["kind"]:
        case "update_rule":
            rule_id = UUID(applied["rule_id"])
            assert identity.workspace_id is not None
            rule = await rule_store.get_rule(connection, identity.workspace_id, rule_id, lock=True)
            if any(_said(rule, name) != value for name, value in applied["after"].items()):
                raise Conflict("The rule has been changed since; change it back by hand.")
            saved = await rule_service.update_rule(
                connection, identity, rule_id, _fields(applied["before"]), now=now
            )
            return Change({}, saved.cursor)
        case "mute_window":
            window_id = UUID(applied["id"])
            window = await mute_windows.get_mute_window(connection, identity, window_id)
            off = mute_windows.MuteWindowDraft(
                name=window.name,
                matchers=window.matchers,
                timezone=window.timezone,
                intervals=window.intervals,
                enabled=False,
            )
            await mute_windows.update_mute_window(connection, identity, window_id, off)
        case "inhibition_rule":
            made_id = UUID(applied["id"])
            made = await inhibitions.get_inhibition(connection, identity, made_id)
            quiet = inhibitions.InhibitionDraft(
                name=made.name,
                source_matchers=made.source_matchers,
                target_matchers=made.target_matchers,
                equal_labels=made.equal_labels,
                enabled=False,
            )
            await inhibitions.update_inhibition(connection, identity, made_id, quiet)
    return Change({})


async def _update_rule(
    connection: Connection, identity: Identity, action: Mapping[str, Any], now: datetime
) -> Change:
    rule_id, changes = UUID(action["rule_id"]), action["changes"]
    assert identity.workspace_id is not None
    try:
        rule = await rule_store.get_rule(connection, identity.workspace_id, rule_id, lock=True)
    except NotFound:
        raise Conflict("The rule is gone; dismiss the recommendation.") from None
    fields = _fields(changes)
    if rule.provenance is Provenance.CODE:
        entry = entry_of(
            replace(rule_service.draft_of(rule), **fields), rule.framework, rule.metric
        )
        return Change(
            {
                "kind": "code",
                "rule_id": str(rule_id),
                "changes": dict(changes),
                "file": write_entries([entry]),
            }
        )
    before = {name: _said(rule, name) for name in changes}
    saved = await rule_service.update_rule(connection, identity, rule_id, fields, now=now)
    after = {name: _said(saved.rule, name) for name in changes}
    done = {"kind": "update_rule", "rule_id": str(rule_id), "before": before, "after": after}
    return Change(done, saved.cursor)


def _fields(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The words of the API as fields of a rule."""
    found: dict[str, Any] = {}
    for name, value in changes.items():
        if name in _DURATIONS:
            found[f"{name}_seconds"] = parse_duration(value, name)
        elif name == "severity":
            found[name] = Severity(value)
        elif name in _PLAIN:
            found[name] = value
        else:
            raise InvalidInput(f"A recommendation cannot change {name!r}.")
    return found


def _said(rule: object, name: str) -> Any:
    if name in _DURATIONS:
        return format_duration(getattr(rule, f"{name}_seconds"))
    value = getattr(rule, name)
    return value.value if isinstance(value, Severity) else value
