"""Strategies judged: by Claude with quotes that are there, by the rubric when it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.db import Database, Role
from convex.errors import NotFound
from convex.frameworks import strategies
from convex.frameworks.rubric import judge
from convex.insights import service
from convex.insights.answers import SUB_SCORES
from convex.insights.claude import Claude
from convex.insights.model import Insight, Kind, Source
from convex.insights.packing import Packer, pack
from convex.insights.strategy import by_rubric, keep_score, passages, strategy_order
from convex.insights.verify import describe, verify
from tests.conftest import Tenant
from tests.convex.alerts.conftest import make_bench
from tests.convex.insights.messages_server import MessagesServer, Say, evidence_of
from tests.convex.insights.packs import NOW

DOCUMENT = """# On time

We raise the on-time rate to 85 % by June, so that nobody misses a connection.

According to a survey of 400 passengers, delays above 15 minutes cost loyalty. Too expensive?
No, because crews are there already. Ask ops@example.com.

If it fails, we roll back within a week; there is no lock-in."""


def evidence(document: str) -> Any:
    packer = Packer(query="test()")
    for passage in passages(document):
        packer.add("passage", "a passage of the document", passage)
    return pack(Kind.STRATEGY, "Newark", NOW, packer, most_bytes=40_000)


def test_passages_hold_the_document_without_addresses() -> None:
    found = passages(DOCUMENT)
    assert found[0] == "# On time"
    assert "nobody misses a connection" in found[1]
    assert "example.com" not in " ".join(found)
    assert all(len(one) <= 400 for one in passages("word " * 5000))


@settings(max_examples=80, deadline=None)
@given(st.text(min_size=1).filter(lambda text: bool(passages(text))))
def test_the_rubric_s_word_always_holds(document: str) -> None:
    made = evidence(document)
    written = by_rubric(judge(document), made)
    verdict = verify(written, made)
    wrong = [one for one in verdict.problems if one.wrong.value != "quote"]
    assert not wrong, describe(wrong)


def test_the_rubric_s_word_about_a_document() -> None:
    made = evidence(DOCUMENT)
    written = by_rubric(judge(DOCUMENT), made)
    assert verify(written, made).holds, describe(verify(written, made).problems)
    assert written.score == pytest.approx(
        sum(getattr(written, name).score for name in SUB_SCORES) / 6, abs=0.1
    )
    assert written.verdict in {"pass", "needs_revision", "fail"}


def judged(score: int = 60, quote: str = "nobody misses a connection") -> Any:
    """A model that judges every side the same way."""

    def answer(body: Any) -> Say:
        facts = evidence_of(body)["facts"]
        (fact,) = [one["id"] for one in facts if "nobody misses" in one["value"]]
        part = {"score": score, "text": "It says so itself.", "facts": [fact], "quote": quote}
        head = {"text": "Solid, but thin on proof.", "facts": [fact]}
        return Say({"headline": head, **dict.fromkeys(SUB_SCORES, part), "recommendations": []})

    return answer


async def judge_it(
    api: Database, tenant: Tenant, claude: Claude | None, server: MessagesServer
) -> Insight:
    bench = await make_bench(api, tenant)
    identity = tenant.identity(Role.EDITOR)
    async with api.transaction(identity) as connection:
        await strategies.add_version(connection, identity, bench.framework_id, document=DOCUMENT)
    async with api.read(identity) as connection:
        order, version = await strategy_order(
            connection, tenant.workspace_id, bench.framework_id, version=None, now=NOW
        )
    insight = await service.write(
        lambda: api.transaction(identity), claude, server.settings(), order, now=NOW
    )
    async with api.transaction(identity) as connection:
        await keep_score(connection, tenant.workspace_id, version, insight)
        await keep_score(connection, tenant.workspace_id, version, insight)
    return insight


async def scores(api: Database, tenant: Tenant) -> list[dict[str, Any]]:
    async with api.read(tenant.identity()) as connection:
        rows = await connection.execute("SELECT * FROM convex.strategy_scores")
        return await rows.fetchall()


async def test_claude_s_judgement_enters_the_history_once(
    api: Database, tenant: Tenant, claude: Claude, server: MessagesServer
) -> None:
    server.then(judged())
    insight = await judge_it(api, tenant, claude, server)
    assert insight.source is Source.CLAUDE
    assert (insight.content["score"], insight.content["verdict"]) == (60.0, "needs_revision")
    (row,) = await scores(api, tenant)
    assert (row["score"], row["verdict"], row["scored_by"]) == (60.0, "needs_revision", "claude")
    assert row["proof"] == 60.0
    assert row["evidence"]["insight_id"] == str(insight.id)


async def test_a_quote_that_is_not_there_is_refused(
    api: Database, tenant: Tenant, claude: Claude, server: MessagesServer
) -> None:
    server.then(judged(quote="we are the best of all"), judged(100, "guaranteed refunds for all"))
    insight = await judge_it(api, tenant, claude, server)
    assert (insight.source, insight.source_reason) == (Source.TEMPLATE, "not_verified")
    assert insight.content["headline"]["text"].startswith("By the rubric")
    assert await scores(api, tenant) == []


async def test_without_a_key_the_rubric_judges(
    api: Database, tenant: Tenant, server: MessagesServer
) -> None:
    insight = await judge_it(api, tenant, None, server)
    assert insight.source_reason == "no_key"
    assert set(insight.content) >= set(SUB_SCORES)


async def test_a_framework_without_a_strategy_has_none_to_judge(
    api: Database, tenant: Tenant
) -> None:
    bench = await make_bench(api, tenant)
    async with api.read(tenant.identity()) as connection:
        with pytest.raises(NotFound):
            await strategy_order(
                connection, tenant.workspace_id, bench.framework_id, version=None, now=NOW
            )
