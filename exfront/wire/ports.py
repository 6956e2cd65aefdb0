"""The ports that are listened on, changed as a whole or not at all.

Owns the open ports. Who is connected through one that closes stays connected; what is spoken on a port is its factory's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from exfront.errors import PortError
from exfront.wire.listen import server_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime


class Line(NamedTuple):
    """Where the configuration names a port."""

    key: str
    """`listen` or `status`."""
    description: str


class Ports:
    """Listening ports by the lines of the configuration."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._open: dict[Line, tuple[IListeningPort, IProtocolFactory]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def named(self, key: str) -> dict[str, IListeningPort]:
        """The open ports of one key, by their descriptions."""
        return {line.description: port for line, (port, _) in self._open.items() if line.key == key}

    def change(self, wanted: Mapping[Line, IProtocolFactory]) -> None:
        """Open what is wanted and not open, close what is not wanted. Raises PortError, and then all is as it was."""
        gone = [one for one in self._open if one not in wanted]
        opened: list[Line] = []
        closed: dict[Line, IProtocolFactory] = {}
        try:
            for line in [one for one in wanted if one not in self._open]:
                try:
                    self._listen(line, wanted[line])
                except PortError:
                    # perhaps an old line stands in the way of the new one: tcp:80 becomes tcp:80:interface=10.0.0.1
                    rivals = [
                        one for one in gone if one not in closed and self._number(one) == _number(line.description)
                    ]
                    if not rivals:
                        raise
                    closed.update({one: self._open[one][1] for one in rivals})
                    self.close(rivals)
                    self._listen(line, wanted[line])
                opened.append(line)
        except PortError:
            self.close(opened)
            self._open_again(closed)
            raise
        self.close(one for one in gone if one not in closed)

    def close(self, lines: Iterable[Line] | None = None) -> None:
        """Accept no more connections on these ports, or on any."""
        for line in list(self._open if lines is None else lines):
            self._open.pop(line)[0].stopListening()

    def _open_again(self, closed: Mapping[Line, IProtocolFactory]) -> None:
        for line, factory in closed.items():
            try:
                self._listen(line, factory)
            except PortError as error:  # somebody was quicker; the next change tries again
                self._log.error("{error}", error=str(error))

    def _listen(self, line: Line, factory: IProtocolFactory) -> None:
        results: list[IListeningPort | Failure] = []
        _ = server_endpoint(self._reactor, line.description).listen(factory).addBoth(results.append)
        (result,) = results  # our endpoints have bound their sockets when `listen` returns
        if isinstance(result, Failure):
            result.trap(CannotListenError)
            raise PortError(line.key, line.description, _reason(result.value))
        self._open[line] = result, factory

    def _number(self, line: Line) -> int:
        return getattr(self._open[line][0].getHost(), "port", 0)


def _number(description: str) -> int:
    """The number in a description, 0 where the kernel chooses or a socket is inherited."""
    return next((int(word) for word in description.split(":") if word.isdigit()), 0)


def _reason(error: BaseException | None) -> str:
    """What the system says, without what Twisted puts around it."""
    cause = getattr(error, "socketError", error)
    return getattr(cause, "strerror", None) or str(cause)
