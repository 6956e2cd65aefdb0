"""The ports that are listened on, changed as a whole or not at all.

Owns the open ports. Who is connected through one that closes stays connected; what is spoken on a port is its factory's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from exfront.errors import PortError
from exfront.wire.listen import server_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTime


class Ports:
    """Listening ports by the descriptions that the configuration gives them."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._open: dict[str, tuple[IListeningPort, IProtocolFactory]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def addresses(self) -> dict[str, IAddress]:
        """Where each description listens."""
        return {description: port.getHost() for description, (port, _) in self._open.items()}

    def ports(self) -> dict[str, IListeningPort]:
        """The port of each description."""
        return {description: port for description, (port, _) in self._open.items()}

    def change(self, wanted: Mapping[str, IProtocolFactory]) -> None:
        """Open what is wanted and not open, close what is not wanted. Raises PortError, and then all is as it was."""
        gone = [one for one in self._open if one not in wanted]
        opened: list[str] = []
        closed: dict[str, IProtocolFactory] = {}
        try:
            for description in [one for one in wanted if one not in self._open]:
                try:
                    self._listen(description, wanted[description])
                except PortError:
                    # perhaps an old line stands in the way of the new one: tcp:80 becomes tcp:80:interface=10.0.0.1
                    rivals = [one for one in gone if one not in closed and self._number(one) == _number(description)]
                    if not rivals:
                        raise
                    closed.update({one: self._open[one][1] for one in rivals})
                    self.close(rivals)
                    self._listen(description, wanted[description])
                opened.append(description)
        except PortError:
            self.close(opened)
            for description, factory in closed.items():
                self._listen(description, factory)
            raise
        self.close(one for one in gone if one not in closed)

    def close(self, descriptions: Iterable[str] | None = None) -> None:
        """Accept no more connections on these ports, or on any."""
        for description in list(self._open if descriptions is None else descriptions):
            self._open.pop(description)[0].stopListening()

    def _listen(self, description: str, factory: IProtocolFactory) -> None:
        results: list[IListeningPort | Failure] = []
        _ = server_endpoint(self._reactor, description).listen(factory).addBoth(results.append)
        (result,) = results  # our endpoints have bound their sockets when `listen` returns
        if isinstance(result, Failure):
            if result.check(CannotListenError) is None:
                result.raiseException()
            raise PortError(description, _reason(result.value))
        self._open[description] = result, factory

    def _number(self, description: str) -> int:
        return getattr(self._open[description][0].getHost(), "port", 0)


def _number(description: str) -> int:
    """The number in a description, 0 where the kernel chooses or a socket is inherited."""
    return next((int(word) for word in description.split(":") if word.isdigit()), 0)


def _reason(error: BaseException | None) -> str:
    """What the system says, without what Twisted puts around it."""
    cause = getattr(error, "socketError", error)
    return getattr(cause, "strerror", None) or str(cause)
