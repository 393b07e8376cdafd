"""What the table files share: the metadata, column kinds, and keys that cannot cross workspaces."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

SCHEMA = "convex"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def uuid_key() -> Column[Any]:
    """The primary key of most tables: a random UUID."""
    return Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()"))


def workspace() -> Column[Any]:
    """The tenant of the row."""
    return Column("workspace_id", UUID, nullable=False)


def uuid(name: str, *, nullable: bool = True) -> Column[Any]:
    """A reference to a row by its id."""
    return Column(name, UUID, nullable=nullable)


def instant(name: str, *, nullable: bool = True, now: bool = False) -> Column[Any]:
    """A point in time, always with a zone; `now` defaults it to the transaction's start."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable and not now,
        server_default=func.now() if now else None,
    )


def words(name: str, *, default: str | None = None, nullable: bool = False) -> Column[Any]:
    """Text."""
    return Column(
        name,
        Text,
        nullable=nullable,
        server_default=None if default is None else text(repr(default)),
    )


def json(name: str, default: str | None = "{}", *, nullable: bool = False) -> Column[Any]:
    """A JSON value."""
    return Column(
        name,
        JSONB,
        nullable=nullable,
        server_default=None if default is None else text(f"'{default}'::jsonb"),
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of these words (or NULL where it may)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def within(column: str, low: float, high: float) -> CheckConstraint:
    """The column lies in [low, high]."""
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", name=column)


def in_workspace() -> ForeignKeyConstraint:
    """The row goes when its workspace goes."""
    return ForeignKeyConstraint(["workspace_id"], [f"{SCHEMA}.workspaces.id"], ondelete="CASCADE")


def same_workspace(column: str, table: str, *, on_delete: str = "CASCADE") -> ForeignKeyConstraint:
    """A foreign key that holds the workspace too, so that no row can refer to another tenant's."""
    return ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{SCHEMA}.{table}.workspace_id", f"{SCHEMA}.{table}.id"],
        ondelete=f"SET NULL ({column})" if on_delete == "SET NULL" else on_delete,
    )


def by_user(column: str) -> ForeignKeyConstraint:
    """A person; the row outlives the account."""
    return ForeignKeyConstraint([column], [f"{SCHEMA}.users.id"], ondelete="SET NULL")


def referable() -> UniqueConstraint:
    """What `same_workspace` keys point at."""
    return UniqueConstraint("workspace_id", "id")
