"""CPU that an uncached logon costs this process, besides the directory's: one search and one bind.

    python -m bench.logon [rounds] [--tls]

Starts a private slapd (Debian package slapd) and prints microseconds a logon.
"""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any

from exfront.wire.loop import install_reactor

install_reactor()

from ldaptor.protocols.pureldap import LDAPAssertionValue, LDAPAttributeDescription, LDAPFilter_equalityMatch  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.task import react  # noqa: E402
from twisted.logger import Logger  # noqa: E402

from exfront.config.settings import DirectoryUrl, Scheme  # noqa: E402
from exfront.directory.interface import Query, Scope  # noqa: E402
from exfront.directory.network import NetworkSource  # noqa: E402
from tests.real.slapd import Slapd  # noqa: E402

if TYPE_CHECKING:
    from exfront.directory.interface import Source

USERS = 1000
ATTRIBUTES = (
    "uid",
    "sAMAccountName",
    "userPrincipalName",
    "proxyAddresses",
    "homeMDB",
    "objectSid",
    "protocolSettings",
)


async def _logon(source: Source, number: int) -> None:
    address = LDAPFilter_equalityMatch(
        attributeDesc=LDAPAttributeDescription(b"proxyAddresses"),
        assertionValue=LDAPAssertionValue(f"smtp:user{number}@adatum.com".encode()),
    )
    found = await source.search(Query(Slapd.base, Scope.SUBTREE, address, ATTRIBUTES, size_limit=2))
    word = await source.bind(found[0].dn, f"pw{number}")
    assert word.cause is None, word


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _measure(reactor: Any, slapd: Slapd, rounds: int, *, tls: bool) -> None:
    port = slapd.tls_port if tls else slapd.port
    url = DirectoryUrl(Scheme.LDAPS if tls else Scheme.LDAP, slapd.host, port)
    source = NetworkSource(
        reactor, [url], bind_dn=slapd.service_dn, bind_password=slapd.service_password, start_tls=False,
        ca_file=slapd.ca_file, timeout=5, log=Logger("directory"),
    )  # fmt: skip
    source.start()
    for number in range(50):
        await _logon(source, 3 + number)
    before = _cpu()
    for number in range(rounds):
        await _logon(source, 3 + number % (USERS - 3))
    used = _cpu() - before
    print(
        f"{'LDAPS' if tls else 'LDAP'}: {used / rounds * 1e6:.0f} µs of CPU a logon ({rounds} rounds, one search and one bind)"
    )
    await source.stop()


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--tls"]
    rounds = int(arguments[0]) if arguments else 2000
    slapd = Slapd()
    slapd.start(users=USERS)
    try:
        react(lambda reactor: Deferred.fromCoroutine(_measure(reactor, slapd, rounds, tls="--tls" in sys.argv)))
    finally:
        slapd.stop()


if __name__ == "__main__":
    main()
