"""Rules: what rules as code, silences and tuning need.

Revision ID: 0002
"""

from migrations.files import run

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; data stays."""
    run(revision, "up")


def downgrade() -> None:
    """Take it away again."""
    run(revision, "down")
