"""A Python and a TypeScript client, generated from the document of this code, against the real API.

The tools are in clients/ (`make clients` installs them); without them these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from convex.db import Database
from tests.api.conftest import PASSWORD, Running, Team, make_team, password_hash, running

_CLIENTS = Path(__file__).parents[2] / "clients"
__all__ = ["password_hash", "running"]  # fixtures of tests/api

pytestmark = pytest.mark.skipif(
    not (_CLIENTS / "node_modules").is_dir() or not (_CLIENTS / ".venv").is_dir(),
    reason="the tools of clients/ are not installed: make clients",
)

_PYTHON = """
import json, sys
from datetime import datetime, timedelta, timezone
from uuid import UUID
base, email, password = sys.argv[1:]
from convex_client import AuthenticatedClient, Client
from convex_client.api.frameworks import create_frameworks
from convex_client.api.identity import sign_in
from convex_client.api.metrics import create_metric
from convex_client.api.points import send_points
from convex_client.api.rules import create_rule, get_rule
from convex_client.api.triggers import list_triggers_alert_triggers
from convex_client.models import (
    FrameworkNew, MetricNew, PointNew, PointsNew, Problem, RuleNew, SignIn)
session = sign_in.sync(client=Client(base_url=base), body=SignIn(email=email, password=password))
client = AuthenticatedClient(base_url=base, token=session.access_token)
framework = create_frameworks.sync(client=client, body=FrameworkNew(slug="ewr", name="Newark"))
metric = create_metric.sync(client=client, body=MetricNew(framework_id=framework.id, name="rate"))
rule = create_rule.sync(client=client, body=RuleNew(
    name="late", framework_id=framework.id, metric_id=metric.id, threshold_value=10))
at = datetime.now(timezone.utc) - timedelta(seconds=1)
sent = send_points.sync(client=client, body=PointsNew(points=[
    PointNew(framework="ewr", metric="rate", timestamp=at, value=50)]))
triggers = list_triggers_alert_triggers.sync(client=client)
missing = get_rule.sync(client=client, rule_id=UUID(int=1))
assert isinstance(missing, Problem), missing
print(json.dumps({"accepted": sent.accepted, "rule": str(rule.id) == str(triggers.items[0].rule_id),
    "triggers": len(triggers.items), "problem": [missing.status, missing.code]}))
"""
_TYPESCRIPT = """
import { connect, type components } from "./client.js";
const [base, email, password] = process.argv.slice(2) as [string, string, string];
const signed = await connect({ baseUrl: base }).POST("/api/v1/auth/sign-in", {
  body: { email, password },
});
const api = connect({ baseUrl: base, token: signed.data!.access_token });
const framework = await api.POST("/api/v1/frameworks", { body: { slug: "jfk", name: "JFK" } });
const metric = await api.POST("/api/v1/metrics", {
  body: { framework_id: framework.data!.id, name: "rate" },
});
const rule = await api.POST("/api/v1/alert-rules", {
  body: { name: "late", framework_id: framework.data!.id, metric_id: metric.data!.id,
    threshold_value: 10 },
});
const timestamp = new Date(Date.now() - 1000).toISOString();
const sent = await api.POST("/api/v1/points", {
  body: { points: [{ framework: "jfk", metric: "rate", timestamp, value: 50 }] },
});
const triggers = await api.GET("/api/v1/alert-triggers", { params: { query: { limit: 10 } } });
const missing = await api.GET("/api/v1/alert-rules/{rule_id}", {
  params: { path: { rule_id: "00000000-0000-0000-0000-000000000001" } },
});
const problem: components["schemas"]["Problem"] = missing.error!;
console.log(JSON.stringify({ accepted: sent.data!.accepted,
  rule: rule.data!.id === triggers.data!.items[0]!.rule_id,
  triggers: triggers.data!.items.length, problem: [problem.status, problem.code] }));
"""
EXPECTED = {"accepted": 1, "rule": True, "triggers": 1, "problem": [404, "not_found"]}


async def run(*command: str, at: Path, **variables: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=at,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await child.communicate()
    assert child.returncode == 0, (said + complained).decode()[-4000:]
    return said.decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of clients/ in which both were generated, from this code."""
    place = tmp_path_factory.mktemp("clients")
    for file in _CLIENTS.iterdir():
        if file.is_file():
            shutil.copy(file, place)
    for tools in ("node_modules", ".venv"):
        (place / tools).symlink_to(_CLIENTS / tools)
    asyncio.run(run("./generate", at=place, CONVEX_CODE=str(_CLIENTS.parent)))
    return place


async def test_the_document_has_nothing_that_linters_find(built: Path) -> None:
    await run("npm", "run", "--silent", "lint", at=built)


async def test_the_python_client_signs_in_sends_and_reads(
    built: Path, running: Running, worker: Database, password_hash: str
) -> None:
    team = await make_team(running, worker, password_hash)
    said = await run(
        *(str(built / ".venv/bin/python"), "-c", _PYTHON, running.url, team.emails["owner"]),
        PASSWORD,
        at=built / "build/python",
    )
    assert last_line(said) == EXPECTED
    await leave(team)


async def test_the_typescript_client_signs_in_sends_and_reads(
    built: Path, running: Running, worker: Database, password_hash: str
) -> None:
    team = await make_team(running, worker, password_hash)
    (built / "build/typescript/use.ts").write_text(_TYPESCRIPT)
    await run("npx", "tsc", "--project", "typescript.json", at=built)
    said = await run(
        *("node", "build/typescript/dist/use.js", running.url, team.emails["owner"], PASSWORD),
        at=built,
    )
    assert last_line(said) == EXPECTED
    await leave(team)


def last_line(said: str) -> Any:
    return json.loads(said.splitlines()[-1])


async def leave(team: Team) -> None:
    for client in team.clients.values():
        await client.aclose()
