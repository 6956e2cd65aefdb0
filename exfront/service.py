"""The running front-end: opens its ports, reloads, and ends without dropping what is under way.

Owns the moment of change between two configurations. What serves a configuration is made by `tap` and comes in as `Serving`; signals
are `exfront.process`'s business; the rules of HTTP and of the directory are not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from exfront.config.mistakes import Mistake
from exfront.errors import ConfigurationError, PortError
from exfront.wire.ports import Line, Ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IListeningPort, IProtocolFactory, IReactorTime

    from exfront.backend.pools import Pools
    from exfront.backend.prober import Prober
    from exfront.config.settings import BackEnd, Settings
    from exfront.directory.logons import Logons
    from exfront.directory.service import Directory
    from exfront.frontend.services import Services
    from exfront.frontend.site import ClientFactory, FrontSite
    from exfront.frontend.tree import Tree
    from exfront.logfile import LogFile
    from exfront.wire.patience import Patience
    from exfront.wire.roles import Limits


class Serving(NamedTuple):
    """All that one reading of the configuration gives."""

    settings: Settings
    tree: Tree
    services: Services
    directory: Directory | None
    limits: Limits
    logons: Logons | None = None


class Lasting(NamedTuple):
    """What outlives a reload."""

    site: FrontSite
    factory: ClientFactory
    pools: Pools
    patience: Patience
    log_file: LogFile
    prober: Prober


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
        self._ports = Ports(reactor)
        self._retiring: dict[Directory, IDelayedCall] = {}
        self._log_path = serving.settings.front_end.access_log
        self.status: IProtocolFactory | None = None
        """What is spoken at the `status` address. Set it before the start."""
        self.reloads = 0
        """Reloads that were carried out."""
        self.refused = False
        """Whether the last reload was refused."""

    @property
    def ports(self) -> dict[str, IListeningPort]:
        """The open ports for clients by their `listen` lines."""
        return self._ports.named("listen")

    @property
    def status_port(self) -> IListeningPort | None:
        """The open port of the status page."""
        return next(iter(self._ports.named("status").values()), None)

    @property
    def serving(self) -> Serving:
        """What is served now."""
        return self._serving

    @property
    def lasting(self) -> Lasting:
        """What outlives a reload."""
        return self._lasting

    @property
    def unready(self) -> str:
        """Why new requests should not be sent here, in a word; empty when they may."""
        if not self.running:
            return "stopping" if len(self._ports) else "stopped"
        directory = self._serving.directory
        if directory is not None and directory.outage.reason:
            return "directory-away"
        return ""

    def open(self) -> None:
        """Open what is configured and not open. Raises ConfigurationError that names the line."""
        self._change_ports(self._serving.settings)

    def privilegedStartService(self) -> None:
        """Open the ports while the process may still be root. `twist` never calls this: `startService` opens what is not open."""
        self.open()

    def startService(self) -> None:
        self.open()
        super().startService()
        self._lasting.patience.start()
        self._lasting.prober.start()
        if self._serving.directory is not None:
            self._serving.directory.start()
        self._log.info("exfront serves on {ports}", ports=", ".join(self.ports))

    def _change_ports(self, settings: Settings) -> None:
        """Listen on what these settings want, and on nothing else; or raise ConfigurationError and listen as before."""
        front = settings.front_end
        wanted: dict[Line, IProtocolFactory] = {Line("listen", one): self._lasting.factory for one in front.listen}
        if front.status is not None and self.status is not None:
            wanted[Line("status", front.status)] = self.status
        try:
            self._ports.change(wanted)
        except PortError as error:
            raise ConfigurationError([Mistake(str(settings.file), 0, "front-end", error.key, str(error))]) from None

    def reload(self) -> bool:
        """Read the configuration again (SIGHUP). A wrong one is refused whole: the old one goes on and the log says why (F61).

        Requests under way end in the old tree; caches begin empty; connections, pools and marks stay.
        """
        if not self.running:
            return False
        self._lasting.log_file.reopen()
        try:
            new = self._renew()
            self._move_log(new.settings)
            try:
                self._change_ports(new.settings)
            except ConfigurationError:
                self._move_log(self._serving.settings)
                raise
        except ConfigurationError as error:
            for mistake in error.mistakes:
                self._log.error("not reloaded: {mistake}", mistake=str(mistake))
            self.refused = True
            return False
        self._change_to(new)
        self.refused = False
        self.reloads += 1
        self._log.info("the configuration is reloaded; exfront serves on {ports}", ports=", ".join(self.ports))
        return True

    def _move_log(self, settings: Settings) -> None:
        path = settings.front_end.access_log
        if path == self._log_path:
            return
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._lasting.log_file.move(path)
            self._log_path = path
        except OSError as error:
            text = f"{path} cannot be written: {error.strerror}"
            raise ConfigurationError([Mistake(str(settings.file), 0, "front-end", "access_log", text)]) from None

    def _change_to(self, new: Serving) -> None:
        old, self._serving = self._serving, new
        lasting = self._lasting
        lasting.site.swap(new.tree, new.services)
        lasting.factory.configure(new.limits, new.settings.front_end.max_connections)
        failover = new.settings.failover
        lasting.pools.configure(failover.connect_timeout, failover.response_timeout)
        health = new.services.health
        health.configure(failover.unavailable)
        lasting.prober.configure(failover.probe, failover.probe_interval)
        moved = _changed(old.settings.back_ends, new.settings.back_ends)
        health.forget([server for server in health.marks if {server.name, server.name.partition(".")[0]} & moved])
        if new.directory is not None:
            new.directory.start()
        if old.directory is not None:
            timeout = old.settings.directory.timeout if old.settings.directory else 0
            self._retire(old.directory, 2 * timeout)

    def _retire(self, directory: Directory, wait: float) -> None:
        """Stop a directory that nobody asks any more, once those who wait for it have their answers."""
        self._retiring[directory] = self._reactor.callLater(wait, self._retired, directory)

    def _retired(self, directory: Directory) -> None:
        del self._retiring[directory]
        _ = directory.stop().addErrback(lambda failure: self._log.failure("a directory did not stop", failure=failure))

    def stopService(self) -> Deferred[None]:
        """Close the ports, let requests under way end within `drain_timeout` seconds, then free everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        lasting = self._lasting
        self._ports.close(
            Line("listen", one) for one in self.ports
        )  # who asks at the status address learns that we are stopping
        left = await lasting.factory.drained(self._serving.settings.front_end.drain_timeout)
        if left:
            self._log.warn("{left} connections were closed before their requests ended (drain_timeout)", left=left)
        self._ports.close()
        lasting.prober.stop()
        lasting.patience.stop()
        lasting.pools.close()
        retiring, self._retiring = self._retiring, {}
        for directory, call in retiring.items():
            call.cancel()
            await directory.stop()
        if self._serving.directory is not None:
            await self._serving.directory.stop()
        self._serving.services.health.reset()
        lasting.log_file.close()


def _changed(old: tuple[BackEnd, ...], new: tuple[BackEnd, ...]) -> set[str]:
    """The names of back-ends whose section is not what it was."""
    before, after = {one.name: one for one in old}, {one.name: one for one in new}
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
