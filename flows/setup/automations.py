"""Automations as code: lost runs are called crashed, and the standing flow is never off duty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

_HEARTBEAT = "prefect.flow-run.heartbeat"
_PATIENCE = timedelta(seconds=90)  # three heartbeats
_PAUSE_AFTER_FAILURE = timedelta(seconds=15)
_COMPARED = ("description", "enabled", "trigger", "actions")


def _ended(*states: str) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


def crash_lost_runs() -> AutomationCore:
    """A run that sent heartbeats and then neither one more nor its end is called crashed."""
    return AutomationCore(
        name="convex: crash lost runs",
        description="Marks a run as crashed when its heartbeats stop without an end.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={_HEARTBEAT},
            expect={_HEARTBEAT}
            | _ended("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Paused")
            | _ended("Suspended", "AwaitingRetry", "Interrupted"),
            threshold=1,
            within=_PATIENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No heartbeat for 90 seconds: the process that ran this is gone.",
            )
        ],
    )


def stand_again(deployment_id: UUID, name: str) -> list[AutomationCore]:
    """The next shift of a standing flow: at once after an end or a crash, later after a failure.

    A cancelled run starts nothing: the surplus runs that the deployment's limit refuses end that
    way. Whoever cancels a shift by hand is replaced by the schedule within five minutes.
    """

    def rerun(after: str, states: set[str], pause: timedelta) -> AutomationCore:
        return AutomationCore(
            name=f"convex: {name} after {after}",
            description=f"Starts the next shift of {name} after {after} of one.",
            trigger=EventTrigger(
                posture=Posture.Reactive,
                match={"prefect.resource.id": "prefect.flow-run.*"},
                match_related={
                    "prefect.resource.role": "deployment",
                    "prefect.resource.id": f"prefect.deployment.{deployment_id}",
                },
                expect=states,
                threshold=1,
                within=timedelta(0),
            ),
            actions=[
                RunDeployment(source="selected", deployment_id=deployment_id, schedule_after=pause)
            ],
        )

    return [
        rerun("the end", _ended("Completed", "Crashed"), timedelta(0)),
        # Not at once: what makes it fail (a database that is away) would fill the list of runs.
        rerun("a failure", _ended("Failed", "TimedOut"), _PAUSE_AFTER_FAILURE),
    ]


async def apply(client: PrefectClient, automation: AutomationCore) -> list[str]:
    """Create the automation or make the one of that name like it; what was done."""
    existing = await client.read_automations_by_name(automation.name)
    if not existing:
        await client.create_automation(automation)
        return [f"automation {automation.name!r} created"]
    first, *surplus = existing
    for other in surplus:
        await client.delete_automation(other.id)
    if _essence(first) == _essence(automation):
        return []
    await client.update_automation(first.id, automation)
    return [f"automation {automation.name!r} updated"]


def _essence(automation: AutomationCore) -> dict[str, Any]:
    plain = automation.model_dump(mode="json")
    return {name: _without_ids(plain[name]) for name in _COMPARED}


def _without_ids(value: Any) -> Any:
    """The server gives each trigger an id, and sets have no order."""
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key != "id"}
    if isinstance(value, list):
        return sorted((_without_ids(item) for item in value), key=repr)
    return value
