"""The tables of schema `convex` as SQLAlchemy metadata, one file per area.

Read it to know the columns; migrations own the DDL, and a test holds the two against each other.
Row level security, grants, triggers and functions live in the migrations alone.
"""

from convex.db.schema import alerts, intelligence, measurements, notifications, workspaces
from convex.db.schema.columns import metadata

__all__ = [
    "alerts",
    "intelligence",
    "measurements",
    "metadata",
    "notifications",
    "workspaces",
]
