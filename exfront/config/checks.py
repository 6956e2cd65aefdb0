"""Rules between keys and between sections: each a function from the sections to the mistakes it finds.

Owns what must fit together. Where a key was refused by its form already, nothing is concluded
from its absence, so that one slip is told once.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from exfront.config.directory_checks import directory_complete, directory_needed
from exfront.config.mistakes import did_you_mean, shown
from exfront.config.names import Listening, listening
from exfront.config.settings import FrontEnd, Kind, Match
from exfront.config.unserved import unserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exfront.config.mistakes import Mistake
    from exfront.config.sections import Draft, Section


def all_checks(draft: Draft) -> Iterator[Mistake]:
    """Every mistake in how the sections fit together, in no order."""
    for check in (
        _repeated_sections,
        _hosts_twice,
        _paths_twice,
        _unknown_servers,
        _kinds_complete,
        _domains_known,
        _certificates_used,
        directory_complete,
        directory_needed,
        _ports_twice,
        _default_tls,
    ):
        yield from check(draft)


def _repeated_sections(draft: Draft) -> Iterator[Mistake]:
    seen: dict[tuple[str, str], Section] = {}
    for section in draft.sections:
        # back-ends are known by lower-case names; other names that differ in case only would mislead
        first = seen.setdefault((section.table.title, section.name.lower()), section)
        if first is not section:
            yield section.mistake("", f"found a second time, allowed is once; the first is in line {first.line}")


def _hosts_twice(draft: Draft) -> Iterator[Mistake]:
    owner: dict[str, Section] = {}
    for section in draft.of("virtual-server"):
        given = "hosts" in section.given
        for host, line in section.items.get("hosts", ()) if given else (("*", section.line),):
            first = owner.setdefault(host, section)
            if first is not section:
                how = "found" if given else "found by default"
                why = f"{how} {shown(host)}, which [{first.title}] has; allowed is each host once"
                yield section.mistake("hosts", why, line)


def _paths_twice(draft: Draft) -> Iterator[Mistake]:
    every = frozenset(draft.server_names())
    owners: dict[str, list[tuple[frozenset[str], Section]]] = {}
    for section in draft.of("virtual-directory"):
        if "path" not in section.values or section.refused("server"):
            continue
        path = section.values["path"].lower()  # matched without regard to case (F7)
        servers = frozenset(section.values.get("server", ())) or every
        for others, first in owners.setdefault(path, []):
            if servers & others:
                yield section.mistake(
                    "path",
                    f"found {shown(path)}, which [{first.title}] has; allowed is each path once on a virtual server",
                )
                break
        owners[path].append((servers, section))


def _unknown_servers(draft: Draft) -> Iterator[Mistake]:
    known = draft.server_names()
    for section in draft.of("virtual-directory"):
        for name, line in section.items.get("server", ()):
            if name not in known:
                guess = did_you_mean(name, known)
                yield section.mistake(
                    "server", f"found {shown(name)}, allowed is one of {', '.join(known)}{guess}", line
                )


def _kinds_complete(draft: Draft) -> Iterator[Mistake]:
    for section in draft.of("virtual-directory"):
        kind = section.values.get("kind")
        if kind is Kind.TREE and not {"tree", "replicas"} & set(section.given):
            yield section.mistake(
                "tree", "found nothing, allowed with kind = tree is a tree's distinguished name, or replicas"
            )
        elif kind is Kind.FORWARD and "servers" not in section.given:
            yield section.mistake("servers", "found nothing, allowed with kind = forward is a list of servers")


def _domains_known(draft: Draft) -> Iterator[Mistake]:
    """With `match = domain` a user without an address in the domain is refused (F16), so there has to be one."""
    for section in draft.of("virtual-directory"):
        if section.values.get("match") is Match.DOMAIN and "smtp_domain" not in section.given:
            servers = draft.servers_of(section)
            if not servers or any("smtp_domain" not in one.given for one in servers):
                yield section.mistake(
                    "match", "found domain without smtp_domain here or in the virtual server, allowed is both"
                )


def _certificates_used(draft: Draft) -> Iterator[Mistake]:
    """Who names a file of certificates believes that servers are verified."""
    for section in draft.of("back-end"):
        if "ca_file" in section.given and not section.refused("tls") and not section.values.get("tls"):
            yield section.mistake("ca_file", "found without TLS, allowed with tls = yes")


def _ports_twice(draft: Draft) -> Iterator[Mistake]:
    for section in draft.of("front-end"):
        taken: list[tuple[Listening, int]] = []
        for key, text, line in _addresses(section):
            wanted = listening(text)
            first = next((place for other, place in taken if _collide(wanted, other)), None)
            if first is not None:
                why = f"found {shown(text)}, whose address is taken in line {first}; allowed is each once"
                yield section.mistake(key, why, line)
            taken.append((wanted, line))


def _addresses(section: Section) -> Iterator[tuple[str, str, int]]:
    """Key, address and line of everything that is listened on."""
    by_default = [(text, section.line) for text in FrontEnd().listen]
    for text, line in section.items.get("listen", ()) if "listen" in section.given else by_default:
        yield "listen", text, line
    if "status" in section.values:
        yield "status", section.values["status"], section.given["status"]


def _collide(one: Listening, other: Listening) -> bool:
    if "systemd" in (one.kind, other.kind):
        return one.kind == other.kind and one.port == other.port
    if one.port != other.port or one.port == 0:  # 0: the kernel chooses a free one
        return False
    if one.interface == other.interface or not (one.interface and other.interface):
        return True
    first, second = ip_address(one.interface), ip_address(other.interface)
    return first.version == second.version and (first.is_unspecified or second.is_unspecified)


def _default_tls(draft: Draft) -> Iterator[Mistake]:
    """Certificates without a `listen` mean port 443, which has to be served."""
    refusal = unserved("front-end", "listen", "tls:")
    if refusal is not None and not any("listen" in section.given for section in draft.of("front-end")):
        for section in draft.of("tls"):
            if "certificates" in section.given:
                why = "found without listen, which is tls:443 too then and not served by this version, allowed is with [front-end] listen"
                yield section.mistake("certificates", why)
