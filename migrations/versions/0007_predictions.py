"""Predictions: what predictions and their scorecard need.

Revision ID: 0007
"""

from migrations.files import run

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; data stays."""
    run(revision, "up")


def downgrade() -> None:
    """Take it away again."""
    run(revision, "down")
