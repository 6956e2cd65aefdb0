"""The running front-end: opens its ports, reloads, and ends without dropping what is under way.

Owns the listening ports and the moment of change between two configurations. What serves a configuration is made by `tap` and comes in
as `Serving`; the rules of HTTP and of the directory are not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from exfront.errors import ConfigurationError
from exfront.wire.listen import server_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twisted.internet.interfaces import IListeningPort, IReactorTime

    from exfront.backend.pools import Pools
    from exfront.config.settings import Settings
    from exfront.directory.service import Directory
    from exfront.frontend.services import Services
    from exfront.frontend.site import ClientFactory, FrontSite
    from exfront.frontend.tree import Tree
    from exfront.logfile import LogFile
    from exfront.wire.roles import Limits
    from exfront.wire.patience import Patience


class Serving(NamedTuple):
    """All that one reading of the configuration gives."""

    settings: Settings
    tree: Tree
    services: Services
    directory: Directory | None
    limits: Limits


class Lasting(NamedTuple):
    """What outlives a reload."""

    site: FrontSite
    factory: ClientFactory
    pools: Pools
    patience: Patience
    log_file: LogFile


class FrontEndService(Service):
    """exfront, as Twisted's service tree sees it."""

    name = "exfront"
    _log = Logger()

    def __init__(self, reactor: IReactorTime, serving: Serving, lasting: Lasting, renew: Callable[[], Serving]) -> None:
        """`renew` reads the configuration again; it raises ConfigurationError when it is wrong."""
        self._reactor = reactor
        self._serving = serving
        self._lasting = lasting
        self._renew = renew
        self._ports: dict[str, IListeningPort] = {}
        self.further: list[Callable[[], Any]] = []
        """Things to be stopped with the service; each returns a Deferred or None."""

    @property
    def ports(self) -> dict[str, IListeningPort]:
        """The open ports by their `listen` lines."""
        return dict(self._ports)

    @property
    def serving(self) -> Serving:
        """What is served now."""
        return self._serving

    def privilegedStartService(self) -> None:
        """Open the ports while the process may still be root. `twist` never calls this: `startService` opens what is not open."""
        self._listen()

    def startService(self) -> None:
        self._listen()
        super().startService()
        self._lasting.patience.start()
        if self._serving.directory is not None:
            self._serving.directory.start()
        self._log.info("exfront serves on {ports}", ports=", ".join(self._ports))

    def _listen(self) -> None:
        """Open what is configured and not open. Raises CannotListenError."""
        for description in self._serving.settings.front_end.listen:
            if description not in self._ports:
                opened: list[Any] = []
                server_endpoint(self._reactor, description).listen(self._lasting.factory).addBoth(opened.append)
                port = opened[0]
                if not hasattr(port, "getHost"):
                    port.raiseException()
                self._ports[description] = port

    def reload(self) -> bool:
        """Read the configuration again (SIGHUP). A wrong one is refused whole: the old one goes on and the log says why (F61).

        Requests under way end in the old tree; caches begin empty; connections, pools and marks stay.
        """
        self._lasting.log_file.reopen()
        try:
            new = self._renew()
        except ConfigurationError as error:
            for mistake in error.mistakes:
                self._log.error("not reloaded: {mistake}", mistake=str(mistake))
            return False
        old, self._serving = self._serving, new
        lasting = self._lasting
        lasting.site.swap(new.tree, new.services)
        lasting.factory.configure(new.limits, new.settings.front_end.max_connections)
        if new.directory is not None:
            new.directory.start()
        if old.directory is not None:
            # requests that wait for it get their answer first
            timeout = old.settings.directory.timeout if old.settings.directory else 0
            self._reactor.callLater(2 * timeout, old.directory.stop)
        self._change_ports()
        self._log.info("the configuration is reloaded")
        return True

    def _change_ports(self) -> None:
        wanted = self._serving.settings.front_end.listen
        for description in [one for one in self._ports if one not in wanted]:
            maybeDeferred(self._ports.pop(description).stopListening).addErrback(
                lambda failure: self._log.failure("a port could not be closed", failure=failure)
            )
        try:
            self._listen()
        except CannotListenError as error:
            self._log.error("after the reload: {error}", error=str(error))

    def stopService(self) -> Deferred[None]:
        """Close the ports, let requests under way end within `drain_timeout` seconds, then free everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        lasting = self._lasting
        ports, self._ports = self._ports, {}
        await DeferredList([maybeDeferred(port.stopListening) for port in ports.values()])
        patience = self._serving.settings.front_end.drain_timeout
        left = await lasting.factory.drained(patience)
        if left:
            self._log.warn("{left} connections were closed before their requests ended (drain_timeout)", left=left)
        lasting.patience.stop()
        lasting.pools.close()
        if self._serving.directory is not None:
            await self._serving.directory.stop()
        for stop in self.further:
            await maybeDeferred(stop)
        self._serving.services.health.reset()
        lasting.log_file.close()

