"""Convex as its attackers would try it."""
