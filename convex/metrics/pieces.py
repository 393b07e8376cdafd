"""A long body of lines in pieces, so that memory stays flat however long it is."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from convex.errors import InvalidInput

PIECE = 1024 * 1024  # bytes from which what is there is handed on
_LONGEST_RECORD = 8 * PIECE


async def pieces_of(
    chunks: AsyncIterable[bytes], *, csv: bool, size: int = PIECE
) -> AsyncIterator[bytes]:
    """Whole records of NDJSON or, each time with the header, of a CSV: about `size` bytes at once.

    A quoted field of a CSV may hold line ends. Raises `InvalidInput` for a record without end.
    """
    held = bytearray()
    header: bytes | None = None if csv else b""
    async for chunk in chunks:
        held += chunk
        while len(held) >= size:
            end = _end_of_records(held, csv)
            if end == 0:
                if len(held) > _LONGEST_RECORD:
                    raise InvalidInput("A line of the body has no end.")
                break
            header, piece = _cut(bytes(held[:end]), header)
            del held[:end]
            if piece:
                yield piece
    header, piece = _cut(bytes(held), header)
    if piece:
        yield piece


def _end_of_records(held: bytearray, csv: bool) -> int:
    """Behind the last line end that is not inside of quotes; 0 if there is none."""
    end = held.rfind(b"\n") + 1
    while csv and end and held.count(b'"', 0, end) % 2:
        end = held.rfind(b"\n", 0, end - 1) + 1
    return end


def _cut(piece: bytes, header: bytes | None) -> tuple[bytes, bytes]:
    if header is None:
        line, _, rest = piece.partition(b"\n")
        header = line + b"\n"
        return header, header + rest
    return header, header + piece if piece.strip() else b""
