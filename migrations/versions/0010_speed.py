"""Speed: a batch moves its series on and stores its points in one statement.

Revision ID: 0010
"""

from migrations.files import run

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; data stays."""
    run(revision, "up")


def downgrade() -> None:
    """Take it away again."""
    run(revision, "down")
