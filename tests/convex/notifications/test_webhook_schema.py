"""The bodies of webhooks are those that the documented schema describes."""

from __future__ import annotations

from importlib.resources import files

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from convex.notifications.channels.forms import standard
from convex.notifications.channels.message import build
from convex.notifications.model import Kind
from tests.convex.notifications.test_channels import ID, MADE, message

SCHEMA = orjson.loads(
    files("convex.notifications.channels").joinpath("webhook.schema.json").read_bytes()
)
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind not in (Kind.TEST, Kind.NOTICE, Kind.PREDICTION)]
)
@pytest.mark.parametrize("carried", [0, 3])
def test_bodies_about_alerts(kind: Kind, carried: int) -> None:
    VALIDATOR.validate(orjson.loads(orjson.dumps(standard(message(kind, carried=carried)))))


@pytest.mark.parametrize("kind", [Kind.TEST, Kind.NOTICE])
def test_bodies_about_none(kind: Kind) -> None:
    said = build(
        identity=ID,
        workspace_id=ID,
        kind=kind,
        severity="info",
        payload={"title": "This is a test", "lines": ["It works."]},
        carried=(),
        created_at=MADE,
        base_url="https://convex.example",
    )
    VALIDATOR.validate(orjson.loads(orjson.dumps(standard(said))))


def test_the_schema_itself_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
