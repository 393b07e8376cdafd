"""A real Convex under load while its processes are killed, and the proof that nothing was lost.

Owns the load, the killing, and what must hold afterwards; knows the product only from outside: its
HTTP and WebSocket interfaces, its webhooks, its database. `python -m chaos` runs it, `make chaos`
for half an hour; it kills nothing that it has not started.
"""
