"""Workspaces that go in an orderly way, exports that are audited, and traces that cross the commit.

Revision ID: 0012
"""

from migrations.files import run

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; data stays."""
    run(revision, "up")


def downgrade() -> None:
    """Take it away again."""
    run(revision, "down")
