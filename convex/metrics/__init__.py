"""What is measured: metrics, their series (metric × labels), points, and how points come in.

Owns the batch of points (`PointBatch`) with its parsers, turning names into series, storing points
and keeping the rejected ones with their reason. What a point means is decided in `convex.alerts`,
whose `ingest_points` calls this package inside its one transaction; where points are pulled from is
in `convex.metrics.sources`.
"""
