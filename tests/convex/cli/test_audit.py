"""`convex audit verify`: a whole chain is 0, a broken one is 1 and says where."""

from __future__ import annotations

import psycopg

from convex.settings import Settings
from tests.convex.cli.conftest import Convex


def test_a_whole_chain_is_well(convex: Convex) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    convex("key", "create", "collector")
    ended = convex("audit", "verify", "--json")
    assert ended.status == 0
    assert ended.json["whole"]
    assert ended.json["workspaces"]["acme"]["entries"] > 0


def test_a_row_that_somebody_changed_is_found(convex: Convex, fresh_settings: Settings) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    convex("key", "create", "collector")
    with psycopg.connect(fresh_settings.database_url, autocommit=True) as admin:
        # What only the superuser of the server can do: the triggers refuse everybody else.
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE convex.audit_log SET action = 'DELETE' WHERE sequence = 2")
    ended = convex("audit", "verify", "--workspace", "acme")
    assert ended.status == 1
    assert "acme: broken at 2" in ended.out


def test_without_a_workspace_there_is_nothing_to_check(convex: Convex) -> None:
    ended = convex("audit", "verify")
    assert (ended.status, ended.out) == (0, "There is no workspace yet.\n")
