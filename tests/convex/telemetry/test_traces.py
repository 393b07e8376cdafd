"""What is a trace, how it is carried, and that log lines name it."""

from __future__ import annotations

import asyncio
import json

import pytest

from convex.db import Database
from convex.telemetry import configure_logs, get_log
from convex.telemetry.traces import are_recorded, current_trace, read_traceparent, resume, span
from tests.conftest import Tenant

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        TRACE + "-more",
        TRACE.upper(),
        TRACE.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        TRACE.replace("4b", "4'"),
    ],
)
def test_what_is_no_traceparent_is_left_out(header: str | None) -> None:
    assert read_traceparent(header) == ""


def test_a_trace_is_current_within_its_block_alone() -> None:
    assert read_traceparent(TRACE) == TRACE
    with resume(TRACE), span("nothing is recorded"):
        assert current_trace() == TRACE
        with resume(None):
            assert current_trace() == ""
    assert current_trace() == ""
    assert not are_recorded()


async def test_tasks_keep_their_traces_apart() -> None:
    async def work(trace: str) -> str:
        with resume(trace):
            await asyncio.sleep(0)
            return current_trace()

    other = TRACE.replace("4bf9", "ffff")
    first, second = await asyncio.gather(work(TRACE), work(other))
    assert (first, second) == (TRACE, other)


def test_a_log_line_names_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", service="test")
    with resume(TRACE):
        get_log("x").info("within", password="hunter2hunter2")
    get_log("x").info("outside")
    within, outside = map(json.loads, capsys.readouterr().out.splitlines())
    assert (within["trace_id"], within["span_id"]) == (TRACE[3:35], TRACE[36:52])
    assert within["password"] == "[hidden]"
    assert "trace_id" not in outside


async def test_the_transaction_knows_the_trace_and_forgets_it(
    api: Database, tenant: Tenant
) -> None:
    question = "SELECT current_setting('convex.traceparent', true) AS trace"
    for trace in (TRACE, ""):
        with resume(trace):
            async with api.transaction(tenant.identity()) as connection:
                row = await (await connection.execute(question)).fetchone()
            assert row == {"trace": trace} or (not trace and row == {"trace": None})
            (row,) = await api.read_at_once(tenant.identity(), question)
            assert (row["trace"] or "") == trace
