"""`python -m bench idle`: what a client costs that has asked once and keeps its connection."""

from __future__ import annotations

import resource
import socket
import time

from bench import contenders, cpu, people
from bench.load import Load, drive
from bench.processes import Failed, Workshop
from bench.report import Sheet, limits
from bench.site import Site

CONNECTIONS = 9000
USERS = 500
GOAL = 6.0
"""Kilobytes a connection."""
SETTING = (
    "Growth of the resident size over that of the warm process, divided by the number of keep-alive connections, each of which has made one"
    " routed request with a browser's head."
)
HEAD = (
    "GET /exchange/ HTTP/1.1\r\nHost: www.adatum.com\r\nAuthorization: Basic {token}\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: de,en-US;q=0.7,en;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nCookie: sessionid=0123456789abcdef0123456789abcdef\r\n"
    "Referer: http://www.adatum.com/exchange/\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n"
)


def measure(twistd: str | None) -> Sheet:
    """Kilobytes of resident memory for each idle connection."""
    count = min(CONNECTIONS, _allow_files() - 500)
    with Workshop() as workshop:
        site = Site(workshop, USERS)
        site.start_back_ends()
        site.start_directory()
        front_end = contenders.exfront(site, "routed.ini", twistd)
        drive(Load(f"http://127.0.0.1:{front_end.port}/exchange/", site.credentials), 2)
        time.sleep(1)
        warm = cpu.resident(front_end.roots)
        clients = [_ask_once(front_end.port, number % USERS) for number in range(count)]
        time.sleep(1)
        growth = cpu.resident(front_end.roots) - warm
        lost = sum(not _open(client) for client in clients)
        for client in clients:
            client.close()
    if lost:
        raise Failed(f"{lost} of {count} idle connections were closed")
    return limits(
        "idle", "Memory for an idle connection", SETTING, [(f"{count} connections", growth / count / 1000, GOAL, "kB")]
    )


def _allow_files() -> int:
    """Raise the soft limit of open files, which servers started from here inherit; the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _ask_once(port: int, number: int) -> socket.socket:
    """A connection on which one request was answered, whole."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(HEAD.format(token=people.token(number)).encode())
    answer = b""
    while len(answer.partition(b"\r\n\r\n")[2]) < 1024:
        piece = client.recv(65536)
        if not piece:
            break
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"the front-end answered {answer[:200]!r}")
    return client


def _open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
