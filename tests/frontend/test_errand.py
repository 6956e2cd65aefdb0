"""Who sends a request, where it has to go, or why it goes nowhere: logon and mailboxes through the wire (F10 to F28)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exfront.directory.interface import Bound
from exfront.model import LogonCause
from tests.fakes.directory import FakeSource, person
from tests.fakes.ends import ok
from tests.fakes.front import DIRECTORY, FrontCase, basic, get, post

if TYPE_CHECKING:
    from tests.fakes.ends import Client, Message

DOMAIN = """
[virtual-directory strict]
path = /strict
kind = mailbox
match = domain

[virtual-directory contoso]
path = /contoso
kind = mailbox
smtp_domain = contoso.com

[virtual-directory plain]
path = /plain
kind = mailbox
user_in_path = no
"""


class ErrandCase(FrontCase):
    """The organisation of `tests.fakes.directory`: anna and carol on backend1, bob on backend2."""

    async def begin(self, clock: bool = False, **more: str) -> Client:
        self.one = self.back_end(lambda request: ok(b"one " + request.start))
        self.two = self.back_end(lambda request: ok(b"two " + request.start))
        self.start(DIRECTORY, source=FakeSource(), clock=clock, backend1=self.one, backend2=self.two, **more)
        return await self.client()

    async def expect(self, client: Client, target: bytes, wanted: bytes | int, *lines: bytes) -> Message:
        """Ask for `target` and see where it went (the server and the target there) or the status."""
        answer = await client.ask(get(target, *lines))
        if isinstance(wanted, int):
            self.assertEqual(answer.status, wanted, target)
        else:
            server, _, there = wanted.partition(b" ")
            self.assertEqual(answer.body, server + b" GET " + there + b" HTTP/1.1", target)
        return answer


class MailboxTests(ErrandCase):
    """Mailboxes."""

    async def test_implicit(self) -> None:
        """F10, F12: an authenticated user's own mailbox, put into the URL, on the home server."""
        client = await self.begin()
        await self.expect(client, b"/exchange/", b"one /exchange/anna/", basic("anna"))
        await self.expect(client, b"/exchange", b"one /exchange/anna/", basic("anna"))
        await self.expect(client, b"/Exchange/?Cmd=x/y", b"two /Exchange/bob/?Cmd=x/y", basic("bob"))
        first, _, third = await self.recorded(3)
        self.assertEqual((first["user"], first["vdir"], first["back_end"]), ("anna", "exchange", "backend1"))
        self.assertEqual((third["user"], third["back_end"]), ("bob", "backend2"))

    async def test_explicit(self) -> None:
        """F14, F17: a named mailbox's own server, with the delegate's credentials; with and without authentication."""
        client = await self.begin()
        await self.expect(client, b"/exchange/bob/inbox/%41?x", b"two /exchange/bob/inbox/%41?x", basic("anna"))
        self.assertEqual(self.two.requests[0].one(b"Authorization"), basic("anna").partition(b": ")[2])
        await self.expect(client, b"/open/anna/", b"one /open/anna/")
        await self.expect(client, b"/open/BOB@adatum.com/", b"two /open/BOB@adatum.com/")
        await self.expect(client, b"/exchange/second@contoso.com/", b"two /exchange/second@contoso.com/", basic("anna"))
        await self.recorded(4)

    async def test_without_authentication(self) -> None:
        """F13: implicit logon is refused with a page that says to name the mailbox."""
        client = await self.begin()
        answer = await self.expect(client, b"/open/", 404)
        self.assertIn(b"Name the mailbox", answer.body)
        (record,) = await self.recorded(1)
        self.assertEqual(record["reason"], "name-the-mailbox")

    async def test_pass_through(self) -> None:
        """F25: with `none` the back-end gets the client's credentials, whatever they are, and its own challenge reaches the client."""
        client = await self.begin()
        self.two.answer = lambda _: (
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"
        )
        answer = await client.ask(get(b"/open/bob/", b"Authorization: Digest x=y"))
        self.assertEqual((answer.status, answer.all(b"WWW-Authenticate")), (401, [b"NTLM", b"Negotiate"]))
        self.assertEqual(self.two.requests[0].one(b"Authorization"), b"Digest x=y")
        await self.recorded(1)

    async def test_domains(self) -> None:
        """F12, F15, F16: the local part in the directory's own domain; the primary address without one; `match = domain` is strict."""
        client = await self.begin(more=DOMAIN)
        await self.expect(client, b"/contoso/", b"two /contoso/second/", basic("bob"))
        await self.expect(client, b"/contoso/", b"one /contoso/anna@adatum.com/", basic("anna"))
        await self.expect(client, b"/contoso/second/", b"two /contoso/second/", basic("anna"))
        await self.expect(client, b"/strict/", b"one /strict/anna/", basic("anna"))
        await self.expect(client, b"/strict/second@contoso.com/", 404, basic("anna"))
        self.source.put(person("frank", "Mailbox2", proxyAddresses="SMTP:frank@contoso.com"))
        await self.expect(client, b"/strict/", 403, basic("frank"))
        await self.expect(client, b"/strict/frank/", 404, basic("anna"))
        await self.expect(client, b"/plain/bob/x", b"one /plain/bob/x", basic("anna"))
        await self.expect(client, b"/plain/", b"two /plain/", basic("bob"))
        await self.recorded(9)

    async def test_switched_off(self) -> None:
        """F18: HTTP switched off: 403, implicit and explicit."""
        client = await self.begin()
        await self.expect(client, b"/exchange/", 403, basic("carol"))
        await self.expect(client, b"/exchange/carol/", 403, basic("anna"))
        await self.expect(client, b"/open/carol/", 403)
        self.assertEqual({one["reason"] for one in await self.recorded(3)}, {"http-disabled"})

    async def test_nobody_and_two(self) -> None:
        """F19: no such mailbox: 404; two entries: 403, and the log names them."""
        client = await self.begin()
        self.source.put(person("dora", "Mailbox1", proxyAddresses="SMTP:same@adatum.com"))
        self.source.put(person("emil", "Mailbox2", proxyAddresses="SMTP:same@adatum.com"))
        await self.expect(client, b"/exchange/nobody/", 404, basic("anna"))
        await self.expect(client, b"/exchange/nobox/", 404, basic("anna"))
        answer = await self.expect(client, b"/exchange/same/", 403, basic("anna"))
        self.assertNotIn(b"dora", answer.body)
        self.assertEqual([one["reason"] for one in await self.recorded(3)], ["no-mailbox", "no-mailbox", "ambiguous"])

    async def test_public(self) -> None:
        """F41: the default tree on the server that the user's mailbox store names."""
        client = await self.begin()
        await self.expect(client, b"/public/x", b"two /public/x", basic("anna"))
        await self.expect(client, b"/public/x", b"one /public/x", basic("bob"))
        await self.recorded(2)

    async def test_one_pool_for_all(self) -> None:
        """Users of the same home server share its kept-alive connections."""
        client = await self.begin()
        for name in ("anna", "bob"):
            self.source.put(person(f"{name}2", f"Mailbox{1 if name == 'anna' else 2}"))
        for _ in range(3):
            for name in ("anna", "anna2", "bob", "bob2"):
                await client.ask(get(b"/exchange/", basic(name)))
        self.assertEqual((len(self.one.ends), len(self.two.ends)), (1, 1))
        await self.recorded(12)


class LogonTests(ErrandCase):
    """Basic authentication."""

    async def test_challenge(self) -> None:
        """F25: without credentials: 401 with the realm, and nothing reaches a back-end."""
        client = await self.begin()
        answer = await self.expect(client, b"/exchange/", 401)
        self.assertEqual(answer.one(b"WWW-Authenticate"), b'Basic realm="adatum.com", charset="UTF-8"')
        self.assertEqual((self.one.ends, self.source.binds), ([], []))
        await self.recorded(1)

    async def test_name_forms(self) -> None:
        r"""F26: bare name, `DOMAIN\\name` and UPN, in any case, all work; the back-end gets what was typed (F25)."""
        client = await self.begin()
        for name in ("anna", "ANNA", "ADATUM\\anna", "adatum\\Anna", "anna@adatum.com", "Anna@ADATUM.com"):
            await self.expect(client, b"/exchange/", b"one /exchange/anna/", basic(name))
            self.assertEqual(self.one.requests[-1].one(b"Authorization"), basic(name).partition(b": ")[2])
        await self.recorded(6)

    async def test_empty_password(self) -> None:
        """F26: an empty password never reaches the directory."""
        client = await self.begin()
        for password in ("", " ", "\0"):
            await self.expect(client, b"/exchange/", 401, basic("anna", password))
        for credentials in (
            b"Basic",
            b"Basic !!!",
            b"Basic YW5uYQ==",
            b"Bearer x",
            b"",
            b"NTLM TlRMTVNTUAAB",
            b"Basic OnNlY3JldA==",
        ):
            await self.expect(client, b"/exchange/", 401, b"Authorization: " + credentials)
        self.assertEqual(self.source.binds, [])
        await self.recorded(10)

    async def test_all_refusals_alike(self) -> None:
        """F27: unknown, wrong, locked, disabled, expired, ambiguous: alike to the byte but for the id; the log tells all."""
        client = await self.begin()
        shown = set()
        causes = [
            LogonCause.LOCKED,
            LogonCause.DISABLED,
            LogonCause.EXPIRED,
            LogonCause.MUST_CHANGE,
            LogonCause.ACCOUNT_EXPIRED,
            LogonCause.WRONG,
        ]
        self.source.put(person("twin", "Mailbox1", userPrincipalName="same@adatum.com"))
        self.source.put(person("twin2", "Mailbox1", userPrincipalName="same@adatum.com"))
        for number, cause in enumerate(causes):
            self.source.put(person(f"user{number}", "Mailbox1"))
            self.source.verdicts[f"uid=user{number},ou=people,dc=adatum,dc=com"] = Bound(cause, detail="for the log")
        names = [*(f"user{number}" for number in range(len(causes))), "stranger", "same@adatum.com", "a\\b\\c", "anna"]
        for number, name in enumerate(names, 1):
            answer = await client.ask(get(b"/exchange/", basic(name, "wrong")))
            record = (await self.recorded(number))[-1]
            self.assertEqual(answer.status, 401)
            shown.add((answer.head + answer.body).replace(record["request_id"].encode(), b"ID"))
        self.assertEqual(len(shown), 1, shown)
        reasons = [one["reason"] for one in self.records]
        self.assertEqual(
            reasons[:8],
            [
                f"logon-{word}"
                for word in [
                    "locked",
                    "disabled",
                    "expired",
                    "must-change",
                    "account-expired",
                    "wrong",
                    "unknown",
                    "ambiguous",
                ]
            ],
        )

    async def test_parallel_wrong(self) -> None:
        """F28: the same wrong credentials in parallel cost one bind; a right logon is cached."""
        await self.begin()
        self.source.held = True
        clients = [await self.client() for _ in range(10)]
        for client in clients:
            client.send(get(b"/exchange/", basic("anna", "wrong")))
        done = [False]

        async def answers() -> None:
            for client in clients:
                self.assertEqual((await client.answer()).status, 401)
            done[0] = True

        from twisted.internet.defer import Deferred

        waiting = Deferred.fromCoroutine(answers())
        while not done[0]:
            await self.turns(5)
            self.source.release()
        await waiting
        self.assertEqual([name for name, _ in self.source.binds], ["uid=anna,ou=people,dc=adatum,dc=com"])
        self.source.held = False
        for _ in range(5):
            self.assertEqual((await clients[0].ask(get(b"/exchange/", basic("anna")))).status, 200)
        self.assertEqual(len(self.source.binds), 2)
        await self.recorded(15)

    async def test_body_waits_for_the_logon(self) -> None:
        """F2: a body that comes while the directory thinks is not lost, a large one waits with its sender."""
        client = await self.begin()
        self.one.answer = lambda request: ok(b"%d" % len(request.body))
        self.source.held = True
        request = post(b"x" * 2_000_000, b"/exchange/anna/", basic("anna"), method=b"PUT")
        client.send(request)
        await self.eventually(lambda: self.source.waiting)
        await self.turns(50)
        (connection,) = self.connections
        self.assertFalse(connection.transport.reading)
        self.source.held = False
        while self.source.waiting:
            self.source.release()
            await self.turns()
        self.assertEqual((await client.answer()).body, b"2000000")
        await self.recorded(1)

    async def test_credentials_never_in_the_log(self) -> None:
        """F27: neither the password nor its encoded form is in any record."""
        client = await self.begin()
        await client.ask(get(b"/exchange/", basic("anna", "topsecret")))
        await client.ask(get(b"/exchange/", basic("anna")))
        await self.recorded(2)
        log = b"".join(self.lines.lines)
        for secret in (b"topsecret", b'secret"', basic("anna", "topsecret")[-12:], basic("anna")[-12:]):
            self.assertIsNone(re.search(re.escape(secret), log))


class AwayTests(ErrandCase):
    """The directory does not answer."""

    async def test_away(self) -> None:
        """F21: 503 with Retry-After for what is not known; when it is back, the next request is answered."""
        client = await self.begin()
        self.source.go_away()
        answer = await self.expect(client, b"/exchange/", 503, basic("anna"))
        self.assertTrue(int(answer.one(b"Retry-After")) > 0)
        answer = await self.expect(client, b"/open/anna/", 503)
        self.assertTrue(int(answer.one(b"Retry-After")) > 0)
        self.source.come_back()
        await self.expect(client, b"/exchange/", b"one /exchange/anna/", basic("anna"))
        await self.expect(client, b"/open/anna/", b"one /open/anna/")
        self.assertEqual(
            [one["reason"] for one in await self.recorded(4)], ["directory-away", "directory-away", "", ""]
        )

    async def test_defect(self) -> None:
        """A defect of ours is a 500 with its record, and the connection goes on."""

        def broken(name: object) -> None:
            raise ZeroDivisionError

        client = await self.begin()
        self.patch(self.service.serving.services.directory, "account", broken)
        await self.expect(client, b"/open/anna/", 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.expect(client, b"/nowhere", 404)
        self.assertEqual((await self.recorded(2))[0]["reason"], "defect")

    async def test_stale(self) -> None:
        """F21: what was known goes on being used, logons included, past its time; then 503."""
        client = await self.begin(clock=True, front="idle_timeout = 3600\nheader_timeout = 300")
        await self.expect(client, b"/exchange/", b"one /exchange/anna/", basic("anna"))
        await self.expect(client, b"/open/bob/", b"two /open/bob/")
        self.source.go_away()
        for seconds, wanted_one, wanted_two in (
            (500, b"one /exchange/anna/", b"two /open/bob/"),
            (700, b"one /exchange/anna/", b"two /open/bob/"),
            (3600, 503, 503),
        ):
            self.clock.advance(seconds)
            other = await self.client()
            await self.expect(other, b"/exchange/", wanted_one, basic("anna"))
            await self.expect(other, b"/open/bob/", wanted_two)
            other.close()
        await self.recorded(8)

    async def test_cache(self) -> None:
        """F60: answers are used for 600 seconds and not after; lookups in flight for the same key are made once."""
        client = await self.begin(clock=True, front="idle_timeout = 3600\nheader_timeout = 300")
        self.source.held = True
        several = [await self.client() for _ in range(5)]
        for one in several:
            one.send(get(b"/open/anna/"))
        await self.eventually(lambda: self.source.waiting)
        await self.turns(20)
        asked = len(self.source.searches)
        self.source.held = False
        while self.source.waiting:
            self.source.release()
            await self.turns()
        for one in several:
            self.assertEqual((await one.answer()).status, 200)
        users = [one for one in self.source.searches if b"anna" in one.filter.toWire()]
        self.assertEqual(len(users), 1, asked)
        before = len(self.source.searches)
        self.clock.advance(590)
        client = await self.client()
        await self.expect(client, b"/open/anna/", b"one /open/anna/")
        self.assertEqual(len(self.source.searches), before)
        self.clock.advance(20)
        client = await self.client()
        await self.expect(client, b"/open/anna/", b"one /open/anna/")
        self.assertGreater(len(self.source.searches), before)
        await self.recorded(7)
