"""`python -m bench memory`: bodies of any size in constant memory, both ways, whoever is slow."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from typing import TYPE_CHECKING

from bench import contenders, cpu
from bench.pace import CHUNK, Pace
from bench.processes import Failed, Workshop, free_port
from bench.report import Sheet, limits
from bench.site import ROOT, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.contenders import Contender

SIZE = 1 << 30
SLOW = 64 << 20
"""Bytes a second of the slow side."""
STALLED = 64
GOAL = 40
"""Megabytes above the idle process."""
SETTING = (
    "1 GiB through exfront, whose back-end sends and takes as fast as it can. Slow means 64 MiB/s. Shown is the most that was resident"
    " above the idle process."
)


def measure(twistd: str | None) -> Sheet:
    """The greatest resident size above the idle process for each way and each slow side."""
    with Workshop() as workshop:
        site = Site(workshop, users=1)
        site.back_end_port = free_port()
        command = [sys.executable, "-m", "bench.streams", str(site.back_end_port)]
        workshop.start("streams", command, [("127.0.0.1", site.back_end_port)], folder=ROOT)
        front_end = contenders.exfront(site, "plain.ini", twistd)
        _download(front_end.port, 1 << 20, 0)  # what is loaded and opened once is not a body's
        _upload(front_end.port, 1 << 20, 0)
        lines = [
            ("1 GiB down", _growth(front_end, lambda: _download(front_end.port, SIZE, 0))),
            ("1 GiB down, slow client", _growth(front_end, lambda: _download(front_end.port, SIZE, SLOW))),
            ("1 GiB up", _growth(front_end, lambda: _upload(front_end.port, SIZE, 0))),
            (f"{STALLED} downloads that nobody reads", _growth(front_end, lambda: _stall(front_end.port))),
            ("1 GiB up, slow back-end", _growth(front_end, lambda: _upload(front_end.port, SIZE, SLOW))),
        ]
    return limits("memory", "Memory for a body", SETTING, [(what, figure, GOAL, "MB") for what, figure in lines])


def _growth(front_end: Contender, work: Callable[[], None]) -> float:
    """Megabytes that the front-end grew by at most while it worked."""
    idle = cpu.resident(front_end.roots)
    cpu.reset_peak(front_end.roots)
    work()
    return max(0, cpu.peak(front_end.roots) - idle) / 1e6


def _download(port: int, size: int, speed: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # so that the kernel does not hide slowness
    connection.request("GET", f"/{size}")
    response = connection.getresponse()
    piece, taken, pace = bytearray(CHUNK), 0, Pace(speed)
    while count := response.readinto(piece):
        taken += count
        pace.took(count)
    connection.close()
    _expect(response.status == 200 and taken == size, f"{response.status}, {taken} bytes of {size} came down")


def _stall(port: int) -> None:
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(STALLED)]
    for client in clients:
        client.sendall(f"GET /{SIZE} HTTP/1.1\r\nHost: adatum\r\n\r\n".encode())
    time.sleep(3)  # as long as it takes the back-end to fill every buffer on the way
    for client in clients:
        _expect(client.recv(12) == b"HTTP/1.1 200", "a download that nobody reads did not begin")
        client.close()


def _upload(port: int, size: int, speed: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("PUT", f"/{speed}", body=_pieces(size), headers={"Content-Length": str(size)})
    response = connection.getresponse()
    said = response.read()
    connection.close()
    _expect(
        response.status == 200 and said == str(size).encode(),
        f"{response.status}, {said[:80]!r} bytes of {size} went up",
    )


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(CHUNK)
    for _ in range(size // CHUNK):
        yield piece


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise Failed(otherwise)
