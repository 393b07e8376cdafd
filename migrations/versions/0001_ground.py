"""The ground: every table of the domain, functions, audit trail, row level security.

Revision ID: 0001
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "sql" / revision


def upgrade() -> None:
    """Build the schema, file by file; security comes last and covers every table."""
    for name in ("tables", "functions", "audit", "security"):
        _run(name)


def downgrade() -> None:
    """Remove everything but the schema itself, which holds Alembic's own table."""
    _run("down")


def _run(name: str) -> None:
    # The driver itself, without parameters: SQLAlchemy would take each % for a placeholder.
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((_SQL / f"{name}.sql").read_text())
