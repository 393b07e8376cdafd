"""Analytics: what analytics, health and strategies need.

Revision ID: 0005
"""

from migrations.files import run

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; data stays."""
    run(revision, "up")


def downgrade() -> None:
    """Take it away again."""
    run(revision, "down")
