"""Escalation: later steps that go out unless somebody acknowledged or it was resolved before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from convex.notifications.model import Target, Trigger, minutes_and_seconds
from convex.notifications.preferences import Preferences
from convex.notifications.routing import Route, Routing


@dataclass(frozen=True, slots=True)
class Step:
    """One later telling: whom, and when."""

    number: int
    target: Target
    preferences: Preferences
    due_at: datetime
    explanation: str


def escalations(trigger: Trigger, route: Route, routing: Routing) -> Iterator[Step]:
    """The steps that follow when a firing is told by this route. They are planned at once.

    Steps of a person start at that person; `members` of a step adds others. Those of the
    workspace's defaults also start from the channels without a recipient, when a step names them.
    """
    wishes = route.preferences
    for number, step in enumerate(wishes.escalation_steps, start=1):
        people = step.members if step.members is not None else (route.target.recipient,)
        for person in people or (None,):
            for next_route in routing.reach(person, step.channels):
                if next_route.fault:
                    continue
                yield Step(
                    number=number,
                    target=next_route.target,
                    preferences=next_route.preferences,
                    due_at=trigger.opened_at + step.after,
                    explanation=(
                        f"Step {number}: nobody acknowledged within"
                        f" {minutes_and_seconds(step.after)}."
                    ),
                )
