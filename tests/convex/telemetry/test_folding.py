"""Metrics of several processes, ended ones included, as one scrape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_COUNT = """
from convex.telemetry import metrics
metrics.points_ingested.inc({points})
metrics.alert_processing.observe({seconds})
metrics.prediction_brier.labels("24h").set({points})
metrics.websocket_connections.inc()
"""
_SCRAPE = """
from convex.telemetry import exposition, metrics
metrics.points_ingested.inc(1000)
print(exposition("text/plain")[0].decode())
"""


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def test_what_ended_processes_counted_stays_and_their_files_go(tmp_path: Path) -> None:
    for points in (1, 20, 300):
        run(_COUNT.format(points=points, seconds=0.015), tmp_path)
    scrapes = [run(_SCRAPE, tmp_path).splitlines() for _ in range(2)]
    assert "convex_points_ingested_total 1321.0" in scrapes[0]
    assert "convex_points_ingested_total 2321.0" in scrapes[1]  # the first scraper has ended too
    for lines in scrapes:
        assert 'convex_alert_processing_seconds_bucket{le="0.01"} 0.0' in lines
        assert 'convex_alert_processing_seconds_bucket{le="0.02"} 3.0' in lines
        assert "convex_alert_processing_seconds_count 3.0" in lines
        assert 'convex_prediction_brier{horizon="24h"} 300.0' in lines
        assert "convex_websocket_connections 3.0" not in lines
    left = {file.stem.rpartition("_")[2] for file in tmp_path.glob("*.db")}
    assert len(left) == 2  # the ended ones together, and the last scraper
