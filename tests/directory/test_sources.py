"""What every source promises, asked of the embedded one and of the fake: a fake that lies would make other tests worthless."""

from __future__ import annotations

import base64
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory import filters
from exfront.directory.interface import Query, Scope
from exfront.directory.ldif import LdifSource
from exfront.errors import DirectoryUnreachable, SizeLimitExceeded
from exfront.model import LogonCause
from tests.fakes.directory import ORGANISATION, ROOT, FakeSource, organisation

ANNA = f"uid=anna,ou=people,{ROOT}"


class Promises:
    """The contract of `Source`; test cases below say of whom."""

    def make(self) -> object:
        raise NotImplementedError

    def search(
        self, text: str, *attributes: str, base: str = ROOT, limit: int = 0, scope: Scope = Scope.SUBTREE
    ) -> list:
        query = Query(base, scope, filters.parse(text), attributes, limit)
        return self.successResultOf(self.make().search(query))

    def test_entries(self) -> None:
        """Attribute names in lower case, values as bytes, only what was asked for."""
        (anna,) = self.search("(UID=ANNA)", "sAMAccountName", "objectSid", "userPassword")
        self.assertEqual(anna.dn, ANNA)
        self.assertEqual(anna.attributes, {"samaccountname": (b"anna",), "objectsid": (b"\x01\x05\0\0anna",)})

    def test_nothing(self) -> None:
        """No match, and a base that is not there, are empty lists."""
        self.assertEqual(self.search("(uid=nobody)"), [])
        self.assertEqual(self.search("(uid=anna)", base="dc=nowhere"), [])
        self.assertEqual(self.search("(objectClass=*)", base="dc=nowhere", scope=Scope.BASE, limit=1), [])

    def test_limits(self) -> None:
        """More than wanted is an error."""
        self.assertEqual(len(self.search("(objectClass=msExchPrivateMDB)", base=ORGANISATION, limit=2)), 2)
        query = Query(ROOT, Scope.SUBTREE, filters.present("uid"), (), 2)
        self.failureResultOf(self.make().search(query), SizeLimitExceeded)

    def test_binds(self) -> None:
        """The right password, a wrong one, somebody unknown; empty ones are a broken contract (F26)."""
        source = self.make()
        self.assertIsNone(self.successResultOf(source.bind(ANNA.upper(), "secret")).cause)
        self.assertIs(self.successResultOf(source.bind(ANNA, "wrong")).cause, LogonCause.WRONG)
        self.assertIs(self.successResultOf(source.bind("uid=nobody", "secret")).cause, LogonCause.WRONG)
        for dn, password in (("", "x"), (ANNA, ""), (ANNA, " "), (ANNA, "x\0")):
            self.assertRaises(ValueError, source.bind, dn, password)

    def test_starting_and_stopping(self) -> None:
        """Both may be asked for more than once."""
        source = self.make()
        source.start()
        source.start()
        self.assertEqual(source.away, "")
        self.assertIsNone(self.successResultOf(source.stop()))


class Fake(Promises, SynchronousTestCase):
    def make(self) -> FakeSource:
        return FakeSource()

    def test_away(self) -> None:
        """As it is told, noticed or not."""
        source = self.make()
        source.go_away(known=False)
        self.failureResultOf(source.bind(ANNA, "secret"), DirectoryUnreachable)
        self.assertEqual(source.away, "")
        source.go_away()
        self.assertNotEqual(source.away, "")

    def test_held(self) -> None:
        """Answers wait until they are released, and can be cancelled."""
        source = self.make()
        source.held = True
        first, second = source.bind(ANNA, "secret"), source.bind(ANNA, "secret")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        source.release()
        self.assertIsNone(self.successResultOf(second).cause)
        self.assertEqual((source.cancelled, len(source.binds)), (1, 2))


class Embedded(Promises, SynchronousTestCase):
    def make(self) -> LdifSource:
        path = Path(self.mktemp())
        lines = []
        for one in organisation():
            lines.append(f"dn: {one.dn}")
            for name, values in one.attributes.items():
                lines += [f"{name}:: {base64.b64encode(value).decode()}" for value in values]
            lines += ["userPassword: secret", ""]
        path.write_text("\n".join(lines))
        return LdifSource(path, Clock())
