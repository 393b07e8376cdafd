"""Sources: where points are pulled from, batch by batch, each with the place to go on from.

Owns the reading (files.py), and the row of a source with its cursor (model.py, store.py). Owns
neither the schedule (flows/pull_metrics.py) nor what becomes of a batch (convex.alerts.ingest): the
caller ingests it and saves its cursor in the same transaction, so that nothing is lost or read
twice, wherever a run ends.
"""

from convex.metrics.sources.model import FileConfig, Source, SourceBatch

# In the home of an installation: the only folder that sources of kind `file` may read.
FOLDER = "files"

__all__ = ["FOLDER", "FileConfig", "Source", "SourceBatch"]
