"""Rules between keys and between sections: each a function from the sections to the mistakes it finds.

Owns what must fit together. Where a key was refused by its form already, nothing is concluded
from its absence, so that one slip is told once.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from exfront.config.mistakes import Mistake, did_you_mean, shown
from exfront.config.names import Listening, listening
from exfront.config.settings import Authentication, FrontEnd, Kind, SchemaName, Scheme
from exfront.config.unserved import unserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exfront.config.sections import Draft, Section


def all_checks(draft: Draft) -> Iterator[Mistake]:
    """Every mistake in how the sections fit together, in no order."""
    for check in (
        _repeated_sections,
        _hosts_twice,
        _paths_twice,
        _unknown_servers,
        _kinds_complete,
        _directory_complete,
        _directory_needed,
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
        if section.refused("hosts"):
            continue
        for host in dict.fromkeys(section.values.get("hosts", ("*",))):
            first = owner.setdefault(host, section)
            if first is not section:
                how = "found" if "hosts" in section.given else "found by default"
                yield section.mistake(
                    "hosts", f"{how} {shown(host)}, which [{first.title}] has; allowed is each host once"
                )


def _paths_twice(draft: Draft) -> Iterator[Mistake]:
    every = frozenset(_server_names(draft))
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


def _server_names(draft: Draft) -> list[str]:
    return [one.name for one in draft.of("virtual-server")] or ["default"]


def _unknown_servers(draft: Draft) -> Iterator[Mistake]:
    known = _server_names(draft)
    for section in draft.of("virtual-directory"):
        lines = section.item_lines.get("server", ())
        for name, line in zip(section.values.get("server", ()), lines, strict=True):
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


def _directory_complete(draft: Draft) -> Iterator[Mistake]:
    for section in draft.of("directory"):
        yield from _bind_complete(section)
        yield from _start_tls_fits(section)
        if section.values.get("schema") is SchemaName.CUSTOM and "home_attribute" not in section.given:
            yield section.mistake(
                "home_attribute", "found nothing, allowed with schema = custom is an attribute's name"
            )


def _bind_complete(section: Section) -> Iterator[Mistake]:
    passwords = [key for key in ("bind_password", "bind_password_file") if key in section.given]
    if len(passwords) == 2:
        yield section.mistake("bind_password_file", "found beside bind_password, allowed is one of the two")
    if passwords and "bind_dn" not in section.given:
        yield section.mistake(passwords[0], "found without bind_dn, allowed is both or none")
    if "bind_dn" in section.given and not passwords:
        yield section.mistake("bind_dn", "found without bind_password or bind_password_file, allowed is both or none")


def _start_tls_fits(section: Section) -> Iterator[Mistake]:
    if section.values.get("start_tls"):
        for key in ("url", "write_url"):
            if any(url.scheme is Scheme.LDAPS for url in section.values.get(key, ())):
                yield section.mistake(
                    "start_tls", f"found with ldaps:// in {key}, allowed with ldap:// only; ldaps:// is TLS already"
                )


def _directory_needed(draft: Draft) -> Iterator[Mistake]:
    if not draft.of("directory"):
        # the section that is not there is the place, the line is where the need arises
        for line, why in _needs(draft):
            yield Mistake(draft.file, line, "directory", "", f"found no such section, which {why} needs")
            return


def _needs(draft: Draft) -> Iterator[tuple[int, str]]:
    """Where the directory is asked, line and reason, in the file's order."""
    virtual_directories = draft.of("virtual-directory")
    if not virtual_directories:
        yield 1, "the virtual directory 'exchange' (there where no other is)"
    for section in virtual_directories:
        kind = section.values.get("kind")
        if kind in (Kind.MAILBOX, Kind.PUBLIC):
            yield section.given["kind"], f"kind = {kind.value}"
        elif kind is Kind.TREE and "replicas" not in section.given:
            yield section.given["kind"], "kind = tree without replicas"
        elif kind is not None and _authenticates(draft, section):
            yield section.line, f"authentication in [{section.title}]"


def _authenticates(draft: Draft, section: Section) -> bool:
    own = section.values.get("authentication")
    if own is not None:
        return own is not Authentication.NONE
    if section.refused("authentication"):
        return False
    names = section.values.get("server", ()) or _server_names(draft)
    servers = [one for one in draft.of("virtual-server") if one.name in names]
    modes = [
        one.values.get("authentication", Authentication.BASIC) for one in servers if not one.refused("authentication")
    ]
    by_default = not draft.of("virtual-server")  # the one that is there then asks for a password
    return by_default or any(mode is not Authentication.NONE for mode in modes)


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
    if "listen" in section.values:
        for text, line in zip(section.values["listen"], section.item_lines["listen"], strict=True):
            yield "listen", text, line
    elif not section.refused("listen"):
        for text in FrontEnd().listen:
            yield "listen", text, section.line
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
                yield section.mistake(
                    "certificates",
                    f"found without [front-end] listen, which then has tls:443, and that is not served by this version; {refusal.served}",
                )
