"""Prometheus itself, evaluating rules over series that it scrapes from here.

Debian's package, installed when it is missing and this process may. It tells by its own metrics how
long the last evaluation of a group took. Between measurements it is stopped by a signal, right
after an evaluation has ended, so that it takes nothing from the other side.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PATIENCE = 300.0
_SAMPLE = re.compile(r"^prometheus_rule_group_(\w+)\{[^}]*bench[^}]*\} (\S+)$", re.MULTILINE)


def find() -> str | None:
    """The program, after an attempt to install it; None where it cannot be had."""
    if shutil.which("prometheus") is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "-qq", "update"],
            ["apt-get", "-qq", "-y", "install", "--no-install-recommends", "prometheus"],
        ):
            subprocess.run(command, env=quiet, check=False, stdout=subprocess.DEVNULL)
    return shutil.which("prometheus")


class Prometheus:
    """A running one; `evaluate` lets it evaluate its rules once and says how long that took."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process = process
        self._url = url
        self._last = 0.0

    def evaluate(self) -> float:
        """Seconds of the next evaluation. It is stopped before and after, and never in between:
        the time of the last evaluation is told when that is over, and the next one is far off.
        """
        self._process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            told = self._read()
            when = told.get("last_evaluation_timestamp_seconds", 0.0)
            if when > self._last:
                self._process.send_signal(signal.SIGSTOP)
                self._last = when
                return told["last_duration_seconds"]
            time.sleep(0.02)
        raise TimeoutError("Prometheus has not evaluated its rules")

    def count(self, query: str) -> float:
        """The value of an instant query, 0 without a result."""
        self._process.send_signal(signal.SIGCONT)
        asked = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self._url}/api/v1/query?{asked}") as answer:
            result = json.load(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def version(self) -> str:
        """Such as 2.42.0."""
        said = subprocess.run(["prometheus", "--version"], capture_output=True, text=True)
        found = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
        return found[1] if found else "unknown"

    def _read(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self._url}/metrics") as answer:
            return {name: float(value) for name, value in _SAMPLE.findall(answer.read().decode())}


@contextmanager
def running(values: list[float], rules: list[str], interval: int) -> Iterator[Prometheus]:
    """Prometheus over one series `bench{host="h…"}` for each value, with one group of rules.

    `rules` are expressions; each becomes an alert with `for: 5m`, evaluated every `interval` s.
    """
    with tempfile.TemporaryDirectory() as folder, _exporter(values) as target:
        port = _free_port()
        alerts = "".join(
            f"      - alert: A{number}\n        expr: {expression}\n        for: 5m\n"
            for number, expression in enumerate(rules)
        )
        Path(folder, "rules.yml").write_text(
            f"groups:\n  - name: bench\n    interval: {interval}s\n    rules:\n{alerts}"
        )
        Path(folder, "prometheus.yml").write_text(
            "global: {scrape_interval: 2s}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs:\n"
            f"  - {{job_name: bench, static_configs: [{{targets: ['{target}']}}]}}\n"
        )
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            peer = Prometheus(process, f"http://127.0.0.1:{port}")
            _until_scraped(peer, process, len(values))
            for _ in range(2):  # the last before there were series, and a first one with them
                peer.evaluate()
            yield peer
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _until_scraped(peer: Prometheus, process: subprocess.Popen[bytes], series: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if peer.count("count(bench)") == series:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("Prometheus has not come up")


@contextmanager
def _exporter(values: list[float]) -> Iterator[str]:
    lines = [f'bench{{host="h{number}"}} {value!r}' for number, value in enumerate(values)]
    page = ("# TYPE bench gauge\n" + "\n".join(lines) + "\n").encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            del format, arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])
