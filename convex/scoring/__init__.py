"""Health and risk of a framework, explained down to the metric or the factor.

Owns what a score is (pure: `health`, `trend`, `risk`), the hourly snapshots in `health_metrics`,
and how both are read. Owns no alert and no prediction: it reads them as factors of risk.
"""
