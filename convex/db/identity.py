"""Who acts in a transaction. Row level security decides by this and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What an identity may do in its workspace.

    `viewer` reads, `editor` writes, `owner` deletes and manages members. `ingest` may only write
    points and what evaluating them writes. `system` sees every workspace and is honoured for the
    database roles convex_worker and convex_dbt alone, never for convex_api.
    """

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"
    INGEST = "ingest"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Identity:
    """The workspace, the person or key, and the role of one transaction."""

    workspace_id: UUID | None
    role: Role
    user_id: UUID | None = None
    api_key_id: UUID | None = None


SYSTEM = Identity(workspace_id=None, role=Role.SYSTEM)
