"""`convex workspace …`: export, delete with a grace or at once, keep, log."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.convex.cli.conftest import Convex


def test_a_workspace_is_exported_kept_and_deleted(convex: Convex, tmp_path: Path) -> None:
    convex("user", "create", "ada@example.com", "--workspace", "acme")
    convex("user", "create", "bob@example.com", "--workspace", "other")
    out = tmp_path / "acme.zip"
    ended = convex("workspace", "export", "acme", "--out", str(out), "--json")
    assert (ended.status, ended.json["rows"] > 0) == (0, True)
    assert "convex/members.ndjson" in zipfile.ZipFile(out).namelist()

    refused = convex("workspace", "delete", "acme")
    assert (refused.status, "--confirm acme" in refused.err) == (2, True)
    assert convex("workspace", "keep", "acme").status == 1
    scheduled = convex("workspace", "delete", "acme", "--confirm", "acme")
    assert (scheduled.status, "keep acme" in scheduled.out) == (0, True)
    assert convex("workspace", "delete", "acme", "--confirm", "acme").status == 1
    assert convex("workspace", "keep", "acme").status == 0

    gone = convex("workspace", "delete", "acme", "--confirm", "acme", "--now", "--json")
    assert (gone.status, gone.json["accounts"]) == (0, 1), gone.err
    left = convex("audit", "verify", "--json")
    assert list(left.json["workspaces"]) == ["other"]
    log = convex("workspace", "log", "--json").json["entries"]
    assert [(one["action"], one["actor"]) for one in log] == [
        ("deletion_requested", "operator"),
        ("deletion_cancelled", "operator"),
        ("deletion_requested", "operator"),
        ("workspace_purged", "operator"),
    ]
