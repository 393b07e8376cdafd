"""Patterns in when alerts fire: seasonal, cyclical, correlated, triggered_by, escalating.

This package owns the tests, the rows of `alert_patterns` and `pattern_runs`, and the
recommendations that follow from a pattern. It reads triggers and never changes them; what will
happen next in numbers is a prediction and lives elsewhere.

Everything from `detect` down is pure: arrays of instants in, findings out, the same for the same
input in any order. Instants are microseconds since 1970-01-01 UTC unless a name says `local`.
"""
