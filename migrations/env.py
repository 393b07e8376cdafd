"""Run by Alembic inside `convex.db.migrate`, which passes the connection (as convex_owner)."""

from alembic import context

from convex.db.schema import metadata
from convex.db.schema.columns import SCHEMA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
