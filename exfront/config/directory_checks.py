"""Rules of the `[directory]` section, and when there has to be one.

Owns what must fit together where the directory is concerned; the other rules are in `exfront.config.checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.config.mistakes import Mistake
from exfront.config.settings import Authentication, Kind, SchemaName, Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exfront.config.sections import Draft, Section


def directory_complete(draft: Draft) -> Iterator[Mistake]:
    """Mistakes in how the keys of `[directory]` fit together."""
    for section in draft.of("directory"):
        yield from _bind_complete(section)
        yield from _tls_fits(section)
        yield from _ldif_alone(section)
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


def _tls_fits(section: Section) -> Iterator[Mistake]:
    encrypted = [
        key for key in ("url", "write_url") if any(one.scheme is Scheme.LDAPS for one in section.values.get(key, ()))
    ]
    starts = section.values.get("start_tls", False)
    for key in encrypted if starts else ():
        why = f"found with ldaps:// in {key}, allowed with ldap:// only; ldaps:// is TLS already"
        yield section.mistake("start_tls", why)
    unclear = any(section.refused(key) for key in ("url", "write_url", "start_tls"))
    if "ca_file" in section.given and not (starts or encrypted or unclear):
        # who names a file of certificates believes that the directory is verified
        yield section.mistake("ca_file", "found without TLS, allowed with ldaps:// or start_tls = yes")


def _ldif_alone(section: Section) -> Iterator[Mistake]:
    urls = section.items.get("url", ())
    for url, line in urls:
        if url.scheme is Scheme.LDIF and len(urls) > 1:
            yield section.mistake("url", "found ldif: beside others, allowed is ldif: alone", line)


def directory_needed(draft: Draft) -> Iterator[Mistake]:
    """The mistake that there is no `[directory]`, where somebody asks it."""
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
    by_default = not draft.of("virtual-server")  # the one that is there then asks for a password
    return by_default or any(_asks_password(one) for one in draft.servers_of(section))


def _asks_password(virtual_server: Section) -> bool:
    mode = virtual_server.values.get("authentication", Authentication.BASIC)
    return mode is not Authentication.NONE and not virtual_server.refused("authentication")
