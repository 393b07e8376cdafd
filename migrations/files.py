"""Runs the SQL files of one migration: migrations/sql/<revision>/<name>.sql."""

from pathlib import Path

from alembic import op


def run(revision: str, *names: str) -> None:
    """Execute the named files in order, inside Alembic's transaction, as convex_owner.

    They go to the driver itself, without parameters: SQLAlchemy would take each % for a
    placeholder.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    for name in names:
        driver.execute((Path(__file__).parent / "sql" / revision / f"{name}.sql").read_text())
