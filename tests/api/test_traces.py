"""One trace from the caller's request through the commit to the delivery, at a real collector."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from convex.db import Database
from convex.settings import Settings, TraceSettings
from tests.api.conftest import PASSWORD, Team, make_team, serve, tenant_of
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http
from tests.convex.notifications.shifts import at_work, towards

SERVER, PRODUCER = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_PRODUCER


@dataclass
class Collector:
    """What arrived over OTLP/HTTP."""

    port: int = 0
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                each.value.string_value
                for each in resource.resource.attributes
                if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += scope.spans
        async with self.arrived:
            self.arrived.notify_all()
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    def of(self, trace_id: str) -> dict[str, Span]:
        return {one.name: one for one in self.spans if one.trace_id.hex() == trace_id}

    async def until(self, trace_id: str, *names: str) -> dict[str, Span]:
        async with asyncio.timeout(60), self.arrived:
            await self.arrived.wait_for(lambda: set(names) <= self.of(trace_id).keys())
        return self.of(trace_id)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    collector.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield collector
    finally:
        await runner.cleanup()


async def send_breach(client: httpx.AsyncClient, traceparent: str | None = None) -> None:
    """A rule, and a point that breaks it; the point's request belongs to the trace."""
    framework = (
        await client.post("/api/v1/frameworks", json={"slug": "ewr", "name": "Newark"})
    ).json()
    metric = (
        await client.post(
            "/api/v1/metrics", json={"framework_id": framework["id"], "name": "delay"}
        )
    ).json()
    rule = await client.post(
        "/api/v1/alert-rules",
        json={
            "name": "late",
            "framework_id": framework["id"],
            "metric_id": metric["id"],
            "threshold_value": 10,
        },
    )
    assert rule.status_code == 201, rule.text
    point = {
        "framework": "ewr",
        "metric": "delay",
        "timestamp": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
        "value": 50,
    }
    sent = await client.post(
        "/api/v1/points",
        json={"points": [point]},
        headers={"traceparent": traceparent} if traceparent else {},
    )
    assert sent.json()["triggers"], sent.text


async def add_hook(worker: Database, settings: Settings, team: Team, url: str) -> None:
    async with worker.transaction(tenant_of(team).flow) as connection:
        await rows.add_channel(
            connection, settings, team.workspace_id, "hook", "webhook", {"url": url}
        )


def attributes(span: Span) -> dict[str, object]:
    return {
        one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes
    }


async def test_the_callers_trace_goes_through_the_commit_to_the_delivery(
    fresh_settings: Settings,
    fresh_worker: Database,
    password_hash: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    async with collecting() as collector, open_http() as http:
        settings = towards(fresh_settings, http).model_copy(
            update={"traces": TraceSettings(endpoint=f"http://127.0.0.1:{collector.port}")}
        )
        async with serve(settings) as running:
            team = await make_team(running, fresh_worker, password_hash)
            await add_hook(fresh_worker, settings, team, http.url())
            async with at_work(settings):
                await send_breach(team.owner, f"00-{trace_id}-{span_id}-01")
                await http.until(1)
                found = await collector.until(
                    trace_id, "POST /api/v1/points", "transaction", "deliver by webhook"
                )
            for client in team.clients.values():
                await client.aclose()
            keys = [team.token("owner"), *team.keys.values(), PASSWORD]
    request, commit = found["POST /api/v1/points"], found["transaction"]
    delivery = found["deliver by webhook"]
    assert (request.kind, delivery.kind) == (SERVER, PRODUCER)
    assert request.parent_span_id.hex() == span_id
    assert commit.parent_span_id == request.span_id
    assert delivery.parent_span_id == commit.span_id
    (got,) = http.got
    assert got.headers["traceparent"] == f"00-{trace_id}-{delivery.span_id.hex()}-01"
    told = attributes(request)
    assert told["http.response.status_code"] == 200
    assert told["http.route"] == "/api/v1/points"
    assert attributes(delivery)["convex.outcome"] == "delivered"
    assert collector.services == {"convex-api"}
    said = b"".join(collector.bodies) + capsys.readouterr().out.encode()
    for secret in keys:
        assert secret.encode() not in said


async def test_without_an_endpoint_the_callers_trace_is_sent_on_unrecorded(
    fresh_settings: Settings, fresh_worker: Database, password_hash: str
) -> None:
    traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    async with open_http() as http:
        settings = towards(fresh_settings, http)
        async with serve(settings) as running:
            team = await make_team(running, fresh_worker, password_hash)
            await add_hook(fresh_worker, settings, team, http.url())
            async with at_work(settings):
                await send_breach(team.owner, traceparent)
                await http.until(1)
            for client in team.clients.values():
                await client.aclose()
    (got,) = http.got
    assert got.headers["traceparent"] == traceparent


async def test_no_trace_is_sent_on_when_nobody_began_one(
    fresh_settings: Settings, fresh_worker: Database, password_hash: str
) -> None:
    async with open_http() as http:
        settings = towards(fresh_settings, http)
        async with serve(settings) as running:
            team = await make_team(running, fresh_worker, password_hash)
            await add_hook(fresh_worker, settings, team, http.url())
            async with at_work(settings):
                await send_breach(team.owner, "00-not-a-trace-01")
                await http.until(1)
            for client in team.clients.values():
                await client.aclose()
    (got,) = http.got
    assert "traceparent" not in got.headers


def test_neither_recorder_nor_exporter_is_loaded_while_it_is_off() -> None:
    program = (
        "import sys, api.app; from convex.telemetry.traces import span\n"
        "with span('x'): pass\n"
        "print([m for m in sys.modules"
        " if m.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
