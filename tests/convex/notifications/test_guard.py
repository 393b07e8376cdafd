"""No address that is not public is called, in whatever form it is written or resolved."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from convex.notifications.channels.guard import Guard, GuardedResolver, Refused
from convex.notifications.channels.http import Poster, judge
from convex.notifications.channels.port import Outcome
from tests.convex.notifications.receivers import open_http

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fc00::1",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:7f00:1::",
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(Refused, match="not a public address"):
        Guard().check_address(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused):
        Guard().check_url(f"http://{host}/hook")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    Guard().check_address(ip_address(address))


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "http://", "http://u:p@example.org/", "x"]
)
def test_only_plain_http_urls_are_called(url: str) -> None:
    with pytest.raises(Refused):
        Guard().check_url(url)


def test_an_operator_allows_a_host_or_one_of_its_ports() -> None:
    Guard(["127.0.0.1"]).check_url("http://127.0.0.1:9/")
    Guard(["127.0.0.1:9"]).check_url("http://127.0.0.1:9/")
    with pytest.raises(Refused):
        Guard(["127.0.0.1:9"]).check_url("http://127.0.0.1:10/")


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.0.0.1"])
async def test_names_and_odd_forms_are_refused_by_what_they_resolve_to(host: str) -> None:
    with pytest.raises(Refused):
        await GuardedResolver(Guard()).resolve(host, 80)


async def test_one_private_address_among_public_ones_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(*_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
            for address in ("93.184.216.34", "10.0.0.5")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(Refused):
        await GuardedResolver(Guard()).resolve("rebinding.example", 80)


async def test_a_poster_calls_nothing_that_is_refused() -> None:
    async with open_http() as http, Poster.open(Guard(), 5) as poster:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"):
            receipt = await poster.post(f"http://{host}:{http.port}/", b"{}", {})
            assert receipt.outcome is Outcome.FAILED
            assert "Not called" in (receipt.error or "")
    assert not http.got


async def test_nobody_listening_is_tried_again() -> None:
    async with open_http() as http:
        port = http.port
    async with Poster.open(Guard(["127.0.0.1"]), 5) as poster:
        receipt = await poster.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert receipt.outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("status", "outcome", "gone"),
    [
        (200, Outcome.DELIVERED, False),
        (204, Outcome.DELIVERED, False),
        (301, Outcome.FAILED, False),
        (400, Outcome.FAILED, False),
        (404, Outcome.FAILED, False),
        (408, Outcome.RETRY, False),
        (410, Outcome.FAILED, True),
        (429, Outcome.RETRY, False),
        (500, Outcome.RETRY, False),
        (503, Outcome.RETRY, False),
    ],
)
def test_a_status_decides(status: int, outcome: Outcome, gone: bool) -> None:
    receipt = judge(status, b"said so", None)
    assert (receipt.outcome, receipt.gone) == (outcome, gone)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("-5", 0, 0),
        ("999999", 3600, 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2065 07:28:00 GMT", 3600, 3600),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_an_hour(
    header: str, low: float, high: float
) -> None:
    receipt = judge(429, b"", header)
    assert receipt.retry_after is not None
    assert low <= receipt.retry_after <= high


@pytest.mark.parametrize("header", ["soon", "nan", ""])
def test_an_unreadable_retry_after_is_none(header: str) -> None:
    assert judge(503, b"", header).retry_after is None
