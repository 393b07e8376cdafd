"""The one way to PostgreSQL: connections, transactions under an identity, roles, the schema.

Owns the pool and the transaction; owns no business statement (those are in each concept's
store.py). Nothing outside this package commits.
"""

from convex.db.engine import Connection, Database, connection_string, say_last
from convex.db.identity import SYSTEM, Identity, Role

__all__ = [
    "SYSTEM",
    "Connection",
    "Database",
    "Identity",
    "Role",
    "connection_string",
    "say_last",
]
