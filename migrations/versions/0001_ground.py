"""The ground: every table of the domain, functions, audit trail, row level security.

Revision ID: 0001
"""

from migrations.files import run

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the schema, file by file; security comes last and covers every table."""
    run(revision, "tables", "functions", "audit", "security")


def downgrade() -> None:
    """Remove everything but the schema itself, which holds Alembic's own table."""
    run(revision, "down")
