"""Prefect as Convex wants it, as code: pool and queues, deployments, automations, stale runs.

Everything here can be repeated without effect. Owns nothing of what the flows do.
"""
