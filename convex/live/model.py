"""Live events and the frames that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Frame:
    """One WebSocket text message of the server: its JSON, and the bytes that go onto the wire."""

    payload: bytes
    wire: bytes = field(repr=False)

    @classmethod
    def of(cls, payload: bytes) -> Frame:
        """An unfragmented, unmasked text frame (RFC 6455, section 5.2)."""
        size = len(payload)
        if size < 126:
            head = bytes((0x81, size))
        elif size < 65536:
            head = b"\x81\x7e" + size.to_bytes(2)
        else:
            head = b"\x81\x7f" + size.to_bytes(8)
        return cls(payload, head + payload)

    @classmethod
    def message(cls, kind: str, **facts: object) -> Frame:
        """`{"type": kind, …facts}`; what is not JSON by nature is refused with TypeError."""
        return cls.of(orjson.dumps({"type": kind, **facts}))


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event of a workspace. `data` is JSON text as PostgreSQL keeps it."""

    cursor: int
    type: str
    framework_id: UUID | None
    recipient_id: UUID | None
    data: str
    created_at: datetime

    def frame(self) -> Frame:
        """What the client gets; built once for all clients of a process."""
        at = self.created_at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6]
        return Frame.of(
            f'{{"type":"{self.type}","cursor":{self.cursor},"data":{self.data},'
            f'"timestamp":"{at}Z"}}'.encode()
        )


@dataclass(frozen=True, slots=True)
class Resync:
    """The cursor asked for cannot be resumed from: reload, and go on from `cursor`."""

    cursor: int
    reason: str
