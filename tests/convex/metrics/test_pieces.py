"""Long bodies in pieces hold the same records, and no piece is long."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex.errors import InvalidInput
from convex.metrics.pieces import pieces_of

cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


async def chunked(body: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), size):
        yield body[begin : begin + size]


def rows_of(body: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(body.decode(), newline="")) if row]


@given(st.lists(st.tuples(cells, cells), max_size=30), st.integers(1, 50), st.integers(1, 60))
async def test_a_csv_in_pieces_holds_the_same_rows(
    rows: list[tuple[str, str]], chunk: int, size: int
) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("a", "b"), *rows])
    body = written.getvalue().encode()
    found = [piece async for piece in pieces_of(chunked(body, chunk), csv=True, size=size)]
    assert all(rows_of(piece)[0] == ["a", "b"] for piece in found)
    assert [row for piece in found for row in rows_of(piece)[1:]] == rows_of(body)[1:]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=30),
    st.integers(1, 50),
    st.integers(1, 60),
)
async def test_lines_in_pieces_are_the_same_lines(
    lines: list[bytes], chunk: int, size: int
) -> None:
    body = b"\n".join(lines)
    found = [piece async for piece in pieces_of(chunked(body, chunk), csv=False, size=size)]
    kept = [line for piece in found for line in piece.split(b"\n") if line.strip()]
    assert kept == [line for line in lines if line.strip()]


async def test_a_line_without_end_is_refused() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1024 * 1024

    with pytest.raises(InvalidInput, match="no end"):
        async for _ in pieces_of(endless(), csv=False):
            pass
