"""A Messages API on loopback, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from convex.insights.claude import Claude
from tests.convex.insights.messages_server import MessagesServer, messages_server


@pytest_asyncio.fixture
async def server() -> AsyncIterator[MessagesServer]:
    """The server of one test."""
    async with messages_server() as running:
        yield running


@pytest_asyncio.fixture
async def claude(server: MessagesServer) -> AsyncIterator[Claude]:
    """A client of it."""
    async with Claude.open("sk-test", server.settings()) as client:
        assert client is not None
        yield client
