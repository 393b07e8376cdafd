"""All of a workspace: as files, and gone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.shared import Body, Shape, ShortText
from convex.workspaces.deletion import Deletion
from convex.workspaces.exports import Export

Form = Literal["ndjson", "parquet"]


class ExportNew(Body):
    """The form of the tables in the archive."""

    format: Form = Field("ndjson", description="NDJSON: a JSON object a line; or Parquet.")


class ExportShape(Shape):
    """An export; its file is there while the state is done and `expires_at` has not come."""

    id: UUID
    format: Form
    state: Literal["requested", "running", "done", "failed"]
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    bytes: int | None = Field(description="Size of the archive.")
    rows: int | None = Field(description="Rows of all tables together.")
    sha256: str | None = Field(description="Of the archive, in hex.")
    error: str | None


class DeletionNew(Body):
    """Confirms a deletion: the slug as it is, and the password of an account that has one."""

    slug: ShortText
    password: Annotated[str, Field(max_length=200)] | None = None


class DeletionShape(Shape):
    """A deletion that waits for its time."""

    workspace_id: UUID
    requested_at: datetime
    requested_by: UUID | None
    purge_at: datetime = Field(description="Until then it can be undone.")


def export_json(export: Export) -> dict[str, object]:
    """As `ExportShape`."""
    return {
        "id": export.id,
        "format": export.form,
        "state": export.state,
        "requested_at": export.requested_at,
        "finished_at": export.finished_at,
        "expires_at": export.expires_at,
        "bytes": export.bytes,
        "rows": export.rows,
        "sha256": export.sha256,
        "error": export.error,
    }


def deletion_json(deletion: Deletion) -> dict[str, object]:
    """As `DeletionShape`."""
    return {
        "workspace_id": deletion.workspace_id,
        "requested_at": deletion.requested_at,
        "requested_by": deletion.requested_by,
        "purge_at": deletion.purge_at,
    }
