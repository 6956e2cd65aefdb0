"""The leaves of the tree: virtual directories that forward, and pages of the front-end's own.

Leaves are twisted.web resources. A forwarding leaf gets the request as a stream, for twisted.web's own Request would keep a whole body in
memory before it renders; a page is rendered as twisted.web does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.web.resource import IResource, Resource

from exfront.frontend.local import Page
from exfront.frontend.relay import Relay

if TYPE_CHECKING:
    from twisted.web.server import Request

    from exfront.directory.logons import LogonScope
    from exfront.frontend.services import Services
    from exfront.model import RequestHead
    from exfront.policy.rule import Rule
    from exfront.wire.inbound import ClientConnection
    from exfront.wire.roles import Receiver


class Leaf(Protocol):
    """Where a request ends up."""

    def take(self, connection: ClientConnection, head: RequestHead) -> Receiver | None:
        """Carry the request; None when it is answered already."""


class ForwardingLeaf(Resource):
    """A virtual directory whose requests go to back-ends."""

    isLeaf = True

    def __init__(self, rule: Rule, services: Services, logons: LogonScope | None, realm: str) -> None:
        """`logons` None: nobody logs on here (F25, pass-through)."""
        super().__init__()
        self.rule = rule
        self.services = services
        self.logons = logons
        self.realm = realm

    def take(self, connection: ClientConnection, head: RequestHead) -> Receiver | None:
        relay = Relay(self, connection, head)
        return relay if relay.begin() else None


class PageLeaf(Resource):
    """A page of the front-end's own: any twisted.web resource."""

    isLeaf = True

    def __init__(self, name: str, resource: IResource, services: Services) -> None:
        super().__init__()
        self.name = name
        self.resource = resource
        self.services = services

    def take(self, connection: ClientConnection, head: RequestHead) -> Receiver | None:
        return Page(self.name, self.resource, self.services, connection, head).begin()


class RootRedirect(Resource):
    """Leads elsewhere; for who does not follow by itself the address is the body."""

    isLeaf = True

    def __init__(self, location: bytes) -> None:
        super().__init__()
        self._location = location

    def render(self, request: Request) -> bytes:
        request.setResponseCode(302)
        request.setHeader(b"location", self._location)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"" if request.method == b"HEAD" else b"This page is at %b\n" % self._location


def root_redirect(location: str) -> Resource:
    """Where "/" leads (F20). The location is relative, so that scheme, host and port stay the client's."""
    return RootRedirect(location.encode("ascii"))
