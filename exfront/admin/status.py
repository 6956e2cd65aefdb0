"""What is served at the `status` address: /live, /ready, /metrics, /status.json and the status page.

An ordinary twisted.web site, apart from the tree that clients see. It only shows: GET and HEAD, nothing kept by anybody.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder
from twisted.web.resource import Resource
from twisted.web.server import Site

from exfront.admin.metrics import make_registry
from exfront.admin.overview import Observed, overview
from exfront.admin.page import POLICY, status_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime
    from twisted.web.http import Request

    from exfront.service import FrontEndService

IDLE = 30
"""Seconds that an idle connection is kept."""

_TEXT = "text/plain; charset=utf-8"


def status_factory(service: FrontEndService, reactor: IReactorTime, wall: Callable[[], float]) -> Site:
    """The site that shows `service`; `wall` says the seconds since 1970."""
    observed = Observed(service, wall, wall())
    root = _Nothing()
    root.putChild(b"", _Shown(lambda _: (200, "text/html; charset=utf-8", status_page(overview(observed)))))
    root.putChild(b"live", _Shown(lambda _: (200, _TEXT, b"ok\n")))
    root.putChild(b"ready", _Shown(lambda _: _ready(service)))
    root.putChild(b"status.json", _Shown(lambda _: _json(observed)))
    registry = make_registry(observed)

    def metrics(request: Request) -> Shown:
        encode, kind = choose_encoder(request.getHeader("accept") or "")
        return 200, kind, encode(registry)

    root.putChild(b"metrics", _Shown(metrics))
    return StatusSite(root, timeout=IDLE, reactor=reactor)


Shown = tuple[int, str, bytes]
"""Status, content type, body."""


def _ready(service: FrontEndService) -> Shown:
    reason = service.unready
    return 503 if reason else 200, _TEXT, (reason or "ready").encode() + b"\n"


def _json(observed: Observed) -> Shown:
    return 200, "application/json", json.dumps(overview(observed), indent=2).encode() + b"\n"


class _Shown(Resource):
    """One page. What it shows is made when it is asked for."""

    def __init__(self, make: Callable[[Request], Shown]) -> None:
        super().__init__()
        self._make = make

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Nothing()

    def render(self, request: Request) -> bytes:
        status, kind, body = self._make(request)
        if request.method not in (b"GET", b"HEAD"):
            status, kind, body = 405, _TEXT, b"This address can only be read.\n"
            request.setHeader("Allow", "GET, HEAD")
        request.setResponseCode(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Server", "exfront"),
        ):
            request.setHeader(name, value)
        return b"" if request.method == b"HEAD" else body


class _Nothing(_Shown):
    """Every other address."""

    def __init__(self) -> None:
        super().__init__(lambda _: (404, _TEXT, b"There is nothing at this address.\n"))


class StatusSite(Site):
    """The site; who asks is not logged."""

    noisy = False

    def log(self, request: Request) -> None:
        """No line: health checks come every few seconds."""
