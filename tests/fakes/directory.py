"""A directory source that does as it is told, and the organisation it holds."""

from __future__ import annotations

import base64

from twisted.internet.defer import Deferred, fail, succeed

from exfront.config.settings import DirectorySettings, DirectoryUrl, Scheme
from exfront.directory.dn import normal_dn
from exfront.directory.interface import Bound, Entry, Query
from exfront.directory.matching import Store
from exfront.errors import DirectoryError, DirectoryUnreachable
from exfront.model import LogonCause

ROOT = "dc=adatum,dc=com"
ORGANISATION = f"cn=Adatum,ou=configuration,{ROOT}"


def settings(**keys: object) -> DirectorySettings:
    """The defaults with a base, and with `keys` over them; no polling unless it is asked for."""
    return DirectorySettings(**({"url": (DirectoryUrl(Scheme.LDAP, "gc1"),), "base": ROOT, "poll": 0} | keys))


def basic(name: str, password: str, encoding: str = "utf-8") -> bytes:
    """An Authorization value (RFC 7617)."""
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode(encoding))


def entry(dn: str, **attributes: str | bytes | list[str]) -> Entry:
    """An entry; texts become bytes, attribute names lower case."""
    values = {}
    for name, given in attributes.items():
        several = given if isinstance(given, list) else [given]
        values[name.lower()] = tuple(value if isinstance(value, bytes) else value.encode() for value in several)
    return Entry(dn, values)


def server(name: str, version: str = "Version 6.5 (Build 7638.2)", **more: str | list[str]) -> Entry:
    """A server, at NAME.adatum.com."""
    keys: dict[str, str | list[str]] = {
        "networkAddress": [f"netbios:{name.upper()}", f"ncacn_ip_tcp:{name}.adatum.com"]
    }
    dn = f"cn={name},{ORGANISATION}"
    return entry(dn, objectClass="msExchExchangeServer", cn=name, serialNumber=version, **(keys | more))


def public_store(name: str, owner: str, tree: str = "Public Folders") -> Entry:
    """A public store on a server, with a replica of a tree."""
    return entry(
        f"cn={name},{ORGANISATION}",
        objectClass="msExchPublicMDB",
        cn=name,
        msExchOwningServer=f"cn={owner},{ORGANISATION}",
        msExchOwningPFTree=f"cn={tree},{ORGANISATION}",
    )


def mailbox_store(name: str, owner: str, public: str) -> Entry:
    """A mailbox store on a server, with its public store."""
    return entry(
        f"cn={name},{ORGANISATION}",
        objectClass="msExchPrivateMDB",
        cn=name,
        msExchOwningServer=f"cn={owner},{ORGANISATION}",
        msExchHomePublicMDB=f"cn={public},{ORGANISATION}",
    )


def person(name: str, store: str | None, **more: str | bytes | list[str]) -> Entry:
    """Somebody in adatum.com, with a mailbox in a store."""
    keys: dict[str, str | bytes | list[str]] = {
        "objectClass": "inetOrgPerson",
        "uid": name,
        "sAMAccountName": name,
        "userPrincipalName": f"{name}@adatum.com",
        "proxyAddresses": f"SMTP:{name}@adatum.com",
        "objectSid": b"\x01\x05\0\0" + name.encode(),
    }
    if store:
        keys["homeMDB"] = f"cn={store},{ORGANISATION}"
    return entry(f"uid={name},ou=people,{ROOT}", **(keys | more))


def organisation() -> list[Entry]:
    """Three servers (the last one old), a default tree on the first two, a tree Apps on the last two, a few people."""
    return [
        entry(ROOT, objectClass="organization"),
        *(server(name) for name in ("backend1", "backend2")),
        server("backend3", "Version 5.5 (Build 2653.23)"),
        entry(f"cn=Public Folders,{ORGANISATION}", objectClass="msExchPFTree"),
        entry(f"cn=Apps,{ORGANISATION}", objectClass="msExchPFTree"),
        public_store("Public2", "backend2"),
        public_store("Public1", "backend1"),
        public_store("Apps3", "backend3", "Apps"),
        public_store("Apps2", "backend2", "Apps"),
        mailbox_store("Mailbox1", "backend1", "Public2"),
        mailbox_store("Mailbox2", "backend2", "Public1"),
        person("anna", "Mailbox1"),
        person("bob", "Mailbox2", proxyAddresses=["smtp:second@contoso.com", "SMTP:Bob@Adatum.com", "X400:c=us"]),
        person("carol", "Mailbox1", protocolSettings="HTTP§0§1§§§§§§"),
        person("nobox", None),
    ]


class FakeSource:
    """A `Source` over entries. Set `down` to make it fail, `held` to make it wait for `release`; look at what it was asked.

    Everybody's password is `secret` until `passwords` (by normal DN) or `verdicts` say otherwise.
    """

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self.passwords: dict[str, str] = {}
        self.verdicts: dict[str, Bound] = {}
        self.away = ""
        self.down: Exception | None = None
        self.held = False
        self.cancelled = 0
        self.started = self.stopped = 0
        self.searches: list[Query] = []
        self.binds: list[tuple[str, str]] = []
        self.waiting: list[tuple[Deferred, object]] = []
        self.hold(entries if entries is not None else organisation())

    def hold(self, entries: list[Entry]) -> None:
        """These are the entries from now on."""
        self.entries = {normal_dn(one.dn): one for one in entries}
        for dn in self.entries:
            if dn.startswith("uid="):
                self.passwords.setdefault(dn, "secret")
        self._store = Store(self.entries)

    def put(self, one: Entry) -> None:
        """One entry is there from now on, as given."""
        self.hold([*(self.entries | {normal_dn(one.dn): one}).values()])

    def remove(self, dn: str) -> None:
        """One entry is gone."""
        self.hold([one for key, one in self.entries.items() if key != normal_dn(dn)])

    def go_away(self, *, known: bool = True) -> None:
        """Nothing answers from now on; `known`: the source has noticed."""
        self.down = DirectoryUnreachable("gc1: refused")
        self.away = "gc1: refused" if known else ""

    def come_back(self) -> None:
        """All is well again."""
        self.down = None
        self.away = ""

    def release(self) -> None:
        """Answer all that waits, with what was true when it was asked."""
        waiting, self.waiting = self.waiting, []
        for deferred, result in waiting:
            (deferred.errback if isinstance(result, Exception) else deferred.callback)(result)

    def search(self, query: Query) -> Deferred[list[Entry]]:
        """See `Source`."""
        self.searches.append(query)
        try:
            return self._answer(self.down or self._store.search(query))
        except DirectoryError as error:
            return self._answer(error)

    def bind(self, dn: str, password: str) -> Deferred[Bound]:
        """See `Source`."""
        if not dn.strip() or not password.strip() or "\0" in password:
            raise ValueError("never reaches a directory")
        self.binds.append((dn, password))
        key = normal_dn(dn)
        right = key in self.passwords and self.passwords[key] == password
        verdict = self.verdicts.get(key, Bound(None if right else LogonCause.WRONG))
        return self._answer(self.down or verdict)

    def start(self) -> None:
        """See `Source`."""
        self.started += 1

    def stop(self) -> Deferred[None]:
        """See `Source`."""
        self.stopped += 1
        return succeed(None)

    def _answer(self, result: object) -> Deferred:
        if self.held:
            waiting: Deferred = Deferred(self._cancel)
            self.waiting.append((waiting, result))
            return waiting
        return fail(result) if isinstance(result, Exception) else succeed(result)

    def _cancel(self, waiting: Deferred) -> None:
        self.cancelled += 1
        self.waiting = [one for one in self.waiting if one[0] is not waiting]
