"""The reference of all keys, in Markdown, made of the same tables that the file is read with.

`python -m exfront.config.document` prints it; with a page's name behind it puts it into that page, between its two marks. Owns the layout
and one example for each key; what keys mean is said in `exfront.config.tables`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from exfront.config.sections import allowed
from exfront.config.tables import TABLES
from exfront.config.unserved import UNSERVED, WITHOUT_EFFECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exfront.config.tables import Key, Table

BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"

EXAMPLES = {
    "front-end": {
        "listen": "tcp:80:interface=10.0.0.1",
        "status": "tcp:8090:interface=127.0.0.1",
        "trusted_proxies": "10.0.0.0/8, 2001:db8::/32",
        "access_log": "/var/log/exfront/access.log",
        "log_format": "json",
        "max_connections": "50000",
        "header_timeout": "5",
        "body_timeout": "30",
        "idle_timeout": "120",
        "max_head_size": "32768",
        "max_body_size": "52428800",
        "drain_timeout": "60",
    },
    "directory": {
        "url": "ldap://gc1.adatum.com:3268",
        "schema": "laser",
        "base": "ou=people,dc=adatum,dc=com",
        "configuration_base": "cn=Configuration,dc=adatum,dc=com",
        "bind_dn": "cn=exfront,ou=services,dc=adatum,dc=com",
        "bind_password": "correct horse battery staple",
        "bind_password_file": "directory.secret",
        "start_tls": "yes",
        "ca_file": "ca.pem",
        "timeout": "2.5",
        "cache": "300",
        "negative_cache": "30",
        "failed_cache": "20",
        "stale": "7200",
        "poll": "30",
        "account_filter": "(objectClass=person)",
        "name_attribute": "uid",
        "address_attribute": "mail",
        "home_attribute": "host",
        "identity_attribute": "entryUUID",
        "disabled_attribute": "webAccessOff",
    },
    "virtual-server": {
        "hosts": "www.adatum.com, *.adatum.com",
        "authentication": "none",
        "default_domain": "ADATUM",
        "smtp_domain": "adatum.com, contoso.com",
        "root": "/exchange/",
        "realm": "adatum.com",
    },
    "virtual-directory": {
        "path": "/exchange",
        "kind": "mailbox",
        "server": "default",
        "authentication": "none",
        "smtp_domain": "contoso.com",
        "match": "domain",
        "user_in_path": "no",
        "hash": "range",
        "tree": "cn=Apps,cn=Adatum,ou=configuration,dc=adatum,dc=com",
        "replicas": "pf1 pf2",
        "servers": "app1 app2 app3",
    },
    "back-end": {
        "address": "10.0.0.11",
        "port": "8081",
        "tls": "yes",
        "ca_file": "ca.pem",
        "weight": "3",
        "drain": "yes",
    },
    "failover": {
        "unavailable": "60",
        "connect_timeout": "1.5",
        "response_timeout": "120",
        "replay_limit": "262144",
        "probe": "/alive",
        "probe_interval": "5",
    },
}
"""One value for each key that does something, by section."""


def reference() -> str:
    """All sections and keys in Markdown, and what is not served yet."""
    return "\n".join([*_sections(), *_not_yet()])


def served(table: Table) -> list[Key]:
    """The section's keys that do something."""
    return [key for key in table.keys if not _refused(table, key) and (table.title, key.name) not in WITHOUT_EFFECT]


def _refused(table: Table, key: Key) -> bool:
    return any((one.section, one.key, one.beginning) == (table.title, key.name, "") for one in UNSERVED)


def _sections() -> Iterator[str]:
    for table in TABLES:
        if keys := served(table):
            yield f"### [{table.title}{' NAME' if table.named else ''}]\n"
            yield f"{table.says[0].upper()}{table.says[1:]}; {'as many as there are' if table.named else 'at most one'}.\n"
            yield "| key | default | allowed | what it says | example |"
            yield "| --- | --- | --- | --- | --- |"
            yield from (_row(table, key) for key in keys)
            yield ""


def _row(table: Table, key: Key) -> str:
    default = "*required*" if key.required else f"`{key.default}`" if key.default else "*none*"
    says = key.says
    if key.only:
        says += f" (only with {table.selector} = {' or '.join(str(one.value) for one in key.only)})"
    example = EXAMPLES[table.title][key.name]
    return (
        "| "
        + " | ".join(_cell(one) for one in (f"`{key.name}`", default, allowed(table, key), says, f"`{example}`"))
        + " |"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _not_yet() -> Iterator[str]:
    yield "### Not yet\n"
    yield "These belong to the file's syntax, so that a file can name them without being misread. This version refuses:\n"
    yield "| section | key | value | allowed instead |"
    yield "| --- | --- | --- | --- |"
    for one in UNSERVED:
        value = f"`{one.beginning}`…" if one.beginning else "any"
        yield f"| `[{one.section}]` | `{one.key}` | {value} | {one.allowed} |"
    yield "\nAnd these belong to what is not served, so that they change nothing:\n"
    for table in TABLES:
        keys = [f"`{key}`" for title, key in WITHOUT_EFFECT if title == table.title]
        if keys:
            yield f"- `[{table.title}]` {', '.join(keys)}"
    yield ""


def updated(page: str) -> str:
    """The page with today's reference between its marks. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page wants {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Print, or bring the named pages up to date."""
    if not arguments:
        print(reference())  # noqa: T201
    for name in arguments:
        path = Path(name)
        path.write_text(updated(path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
