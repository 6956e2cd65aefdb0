"""The verdict on one request: who must be asked, where it goes, or why it goes nowhere (F10 to F19, F40 to F46).

Pure. Reads a head, a rule, the user and the directory's answer; never the health of servers, which decides only where along the
plan an attempt begins (`exfront.policy.failover`). Asked once without an answer and, after AskDirectory or AskHolders, once with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exfront.config.settings import Kind, Match
from exfront.model import (
    Account,
    AccountName,
    AmbiguousAccount,
    AskDirectory,
    AskHolders,
    AskLogon,
    DirectoryAway,
    Forward,
    NameKind,
    Refuse,
)
from exfront.policy.paths import implicit_target, mailbox_of
from exfront.policy.replicas import order

if TYPE_CHECKING:
    from exfront.model import AccountAnswer, HoldersAnswer, LoggedOn, RequestHead, Server, Verdict
    from exfront.policy.rule import Rule

_new = tuple.__new__  # makes a Forward without the call that names its fields: one is made for every request
_ASK_LOGON = AskLogon("no-credentials")
_NO_MAILBOX = Refuse(404, "no-mailbox")
_NAME_THE_MAILBOX = Refuse(404, "name-the-mailbox")
_HTTP_DISABLED = Refuse(403, "http-disabled")
_NOT_IN_DOMAIN = Refuse(403, "not-in-domain")
_NO_SERVER = Refuse(502, "no-server")
_MOST_ORDERS = 10_000


def route(
    head: RequestHead, rule: Rule, identity: LoggedOn | None, answer: AccountAnswer | HoldersAnswer | None = None
) -> Verdict:
    """The verdict for a head whose path is safe and lies under the rule's path.

    `identity` is None as long as nobody has logged on; `answer` is the directory's, None as long as it has not been asked.
    Kinds `application` and `password` are not routed here (ValueError).
    """
    if identity is None:
        if rule.authenticate:
            return _ASK_LOGON
    elif not identity.account.http_enabled:
        return _HTTP_DISABLED
    kind = rule.kind
    if kind is Kind.MAILBOX:
        return _mailbox(head, rule, identity, answer)
    if kind is Kind.PUBLIC or kind is Kind.TREE:
        return _tree(head, rule, identity, answer)
    if kind is Kind.FORWARD:
        return _spread(head, rule, identity, rule.servers)
    raise ValueError(f"nothing to route in a virtual directory of kind {kind.value}")


def _mailbox(head: RequestHead, rule: Rule, identity: LoggedOn | None, answer: object) -> Verdict:
    if answer is not None:
        # Only an explicit name is ever asked for, so it need not be read again.
        return _answered(head, rule, answer)
    if not rule.user_in_path:
        # Nothing in the URL names a mailbox, so the user's own server is all there is to choose (F12).
        return _NAME_THE_MAILBOX if identity is None else _own_server(head, rule, identity.account)
    mailbox = mailbox_of(head.path, rule.depth)
    if mailbox:
        names = _names(rule, mailbox)
        return AskDirectory(names) if names else _NO_MAILBOX
    if mailbox is None:
        return _NO_MAILBOX
    return _NAME_THE_MAILBOX if identity is None else _implicit(head, rule, identity.account)


def _own_server(head: RequestHead, rule: Rule, account: Account) -> Verdict:
    if rule.match is Match.DOMAIN and not _local_part(rule.domains, account.addresses):
        return _NOT_IN_DOMAIN
    return _home(account, head.target)


def _implicit(head: RequestHead, rule: Rule, account: Account) -> Verdict:
    local = _local_part(rule.domains, account.addresses)
    if not local:
        if rule.match is Match.DOMAIN:
            return _NOT_IN_DOMAIN
        local = account.addresses[0] if account.addresses else account.name
    if local in ("", ".", ".."):
        # Such a segment would lead elsewhere, escaped or not (RFC 3986 6.2.2.3).
        return _NO_MAILBOX
    return _home(account, implicit_target(head.target, local))


def _local_part(domains: tuple[str, ...], addresses: tuple[str, ...]) -> str:
    """The local part of the first address in the first domain that has one; empty where none has."""
    for domain in domains:
        for address in addresses:
            local, _, of = address.rpartition("@")
            if of == domain:
                return local
    return ""


def _answered(head: RequestHead, rule: Rule, answer: object) -> Verdict:
    if isinstance(answer, Account):
        if rule.match is Match.DOMAIN and not _local_part(rule.domains, answer.addresses):
            return _NO_MAILBOX
        return _home(answer, head.target) if answer.http_enabled else _HTTP_DISABLED
    if isinstance(answer, AmbiguousAccount):
        return Refuse(403, "ambiguous", " / ".join(answer.dns))
    return _away(answer) if isinstance(answer, DirectoryAway) else _NO_MAILBOX


def _names(rule: Rule, mailbox: str) -> tuple[AccountName, ...]:
    """What the directory is asked for; nothing where the rule admits no such name (F14 to F16)."""
    if "@" in mailbox:
        if rule.match is Match.DOMAIN and mailbox.rpartition("@")[2] not in rule.domains:
            return ()
        return (AccountName(NameKind.ADDRESS, mailbox),)
    if not rule.domains:
        return () if rule.match is Match.DOMAIN else (AccountName(NameKind.ACCOUNT, mailbox),)
    return tuple([AccountName(NameKind.ADDRESS, f"{mailbox}@{domain}") for domain in rule.domains])


def _home(account: Account, target: bytes) -> Verdict:
    home = account.home
    if home is None:
        return _NO_MAILBOX
    if not home.current:
        return Refuse(502, "no-server", f"{home.name}, the home server, is older than version 6.0 and never chosen")
    return _new(Forward, ((home,), target))


def _tree(head: RequestHead, rule: Rule, identity: LoggedOn | None, answer: object) -> Verdict:
    if rule.servers:
        holders: tuple[Server, ...] = rule.servers
    elif answer is None:
        return AskHolders(rule.tree)
    elif isinstance(answer, tuple):
        holders = answer
    elif not isinstance(answer, DirectoryAway):
        raise TypeError("a tree is routed by its holders")
    elif first := _public_server(rule, identity):
        # The mailbox store's own public store is known without the list, so the list need not be waited for.
        return Forward((first,), head.target)
    else:
        return _away(answer)
    return _spread(head, rule, identity, holders)


def _spread(head: RequestHead, rule: Rule, identity: LoggedOn | None, servers: tuple[Server, ...]) -> Verdict:
    if identity is None:
        plan = servers if servers is rule.servers else tuple([one for one in servers if one.current])
    else:
        plan = _ordered(rule, identity.account.identity, servers)
        first = _public_server(rule, identity)
        if first is not None and (not plan or plan[0] != first):
            plan = (first, *[one for one in plan if one != first])
    return _new(Forward, (plan, head.target)) if plan else _NO_SERVER


def _public_server(rule: Rule, identity: LoggedOn | None) -> Server | None:
    """The server of the user's public store where it comes first (F41); only for the default tree, only a current one (F43)."""
    if identity is None or rule.kind is not Kind.PUBLIC:
        return None
    server = identity.account.public_server
    return server if server is not None and server.current else None


def _ordered(rule: Rule, identity: bytes, servers: tuple[Server, ...]) -> tuple[Server, ...]:
    known = rule.orders.get(identity)
    if known is not None and known[0] is servers:
        return known[1]
    ordered = order(identity, [one for one in servers if one.current], rule.hash)
    if len(rule.orders) >= _MOST_ORDERS:
        rule.orders.clear()
    rule.orders[identity] = (servers, ordered)
    return ordered


def _away(answer: DirectoryAway) -> Refuse:
    return Refuse(503, "directory-away", answer.reason, answer.retry_after)
