"""From a pushed point to the receivers: the engine's rows are what planning reads."""

from __future__ import annotations

from convex.alerts import service
from convex.db import SYSTEM, Database
from convex.notifications import ledger
from convex.notifications.ledger import Filters
from convex.settings import Settings
from tests.conftest import make_tenant
from tests.convex.alerts.conftest import make_bench
from tests.convex.notifications import rows
from tests.convex.notifications.receivers import open_http, open_mail
from tests.convex.notifications.shifts import at_work, towards
from tests.convex.notifications.test_shift import settled


async def test_a_breaching_point_is_told_and_so_are_acknowledgement_and_recovery(
    fresh_settings: Settings, fresh_api: Database, fresh_worker: Database
) -> None:
    tenant = await make_tenant(fresh_worker)
    bench = await make_bench(fresh_api, tenant)
    async with open_http() as http, open_mail() as mail:
        settings = towards(fresh_settings, http, mail)
        async with fresh_worker.transaction(SYSTEM) as connection:
            await rows.add_channel(
                connection, settings, tenant.workspace_id, "pager", "webhook", {"url": http.url()}
            )
            await rows.wish(connection, tenant.workspace_id, group_by="none")
        await bench.rule(name="Long delays", severity="critical", runbook_url="https://r.example")
        async with at_work(settings):
            opened = await bench.push([(118, 3), (119, 12)])
            await http.until(1)
            await mail.until(1)
            async with fresh_api.transaction(tenant.identity()) as connection:
                await service.acknowledge(
                    connection,
                    tenant.identity(),
                    opened.trigger_ids[0],
                    note="On it",
                    now=bench.now,
                )
            await http.until(2)
            await bench.push([(120, 4)])
            await http.until(3)
            await mail.until(2)
            await settled(fresh_worker, tenant)
        async with fresh_api.read(tenant.identity()) as connection:
            page = await ledger.list_entries(
                connection, tenant.identity(), Filters(trigger_id=opened.trigger_ids[0])
            )
    firing, acknowledged, resolved = (got.json["data"] for got in http.got)
    assert firing["title"] == "Critical · Firing: Long delays · Airport"
    assert firing["text"] == "Delay is 12, above 10."
    assert firing["alerts"][0]["runbook_url"] == "https://r.example"
    assert acknowledged["alerts"][0]["note"] == "On it"
    assert resolved["title"] == "Resolved: Long delays · Airport"
    assert [str(one["Subject"]) for one in mail.mails] == [firing["title"], resolved["title"]]
    told = {
        (entry["channel"], entry["kind"]): entry["explanation"]
        for entry in map(ledger.describe, page.items)
    }
    assert told["email", "acknowledged"].endswith("You did it yourself.")
    assert "was told of the resolve by pager at" in told["pager", "resolved"]
