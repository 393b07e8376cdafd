"""Tenants and people: workspaces, users, members and their roles, API keys, sessions, the audit.

Owns who may come in (passwords, tokens, keys) and as whom; what a role may do is decided by the
API's dependencies and, independently, by row level security. Owns idempotency keys too, because
they belong to whoever sends them. Knows nothing of HTTP.
"""
