"""Entries are read as ldaptor reads them, only faster, and nothing broken is believed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from ldaptor.protocols.pureber import berDecodeObject
from ldaptor.protocols.pureldap import LDAPMessage, LDAPSearchResultEntry
from twisted.trial.unittest import SynchronousTestCase

from exfront.directory.decoder import open_message, read_entry, wire_name
from exfront.directory.interface import Entry
from exfront.directory.trouble import BrokenMessage

NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-;", min_size=1, max_size=20)
VALUES = st.binary(max_size=200)
ATTRIBUTES = st.lists(
    st.tuples(NAMES, st.lists(VALUES, max_size=5)), max_size=6, unique_by=lambda pair: pair[0].lower()
)


def encoded(dn: bytes, attributes: list[tuple[str, list[bytes]]], number: int = 5) -> bytes:
    return LDAPMessage(LDAPSearchResultEntry(dn, attributes), id=number).toWire()


def decoded(message: bytes) -> Entry:
    number, tag, at = open_message(message)
    assert (number, tag) == (5, 0x64)
    return read_entry(message, at)


class DecoderTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=150)
    @given(st.binary(max_size=300), ATTRIBUTES)
    def test_same_as_ldaptor(self, dn: bytes, attributes: list[tuple[str, list[bytes]]]) -> None:
        """Every entry that ldaptor writes is read as ldaptor reads it: the name's bytes, the values' bytes and order."""
        message = encoded(dn, attributes)
        theirs = berDecodeObject(LDAPClient.berdecoder, message)[0].value
        ours = decoded(message)
        self.assertEqual(wire_name(ours.dn), theirs.objectName)
        self.assertEqual(ours.attributes, {name.decode().lower(): tuple(values) for name, values in theirs.attributes})

    def test_five_thousand_values(self) -> None:
        """A large group's members all come, in order."""
        members = [b"cn=member%d,dc=adatum,dc=com" % number for number in range(5000)]
        self.assertEqual(decoded(encoded(b"cn=all", [("member", members)])).attributes["member"], tuple(members))

    def test_four_octet_lengths(self) -> None:
        """Active Directory writes lengths in four octets wherever something is constructed."""

        def long(tag: int, content: bytes) -> bytes:
            return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content

        attribute = long(0x30, b"\x04\x02CN" + long(0x31, b"\x04\x01a\x04\x01b"))
        operation = long(0x64, b"\x04\x04cn=a" + long(0x30, attribute))
        self.assertEqual(decoded(long(0x30, b"\x02\x01\x05" + operation)), Entry("cn=a", {"cn": (b"a", b"b")}))

    def test_repeated_attribute(self) -> None:
        """An attribute that comes twice keeps all its values."""
        self.assertEqual(decoded(encoded(b"", [("cn", [b"a"]), ("CN", [b"b"])])).attributes, {"cn": (b"a", b"b")})

    def test_controls_behind(self) -> None:
        """A control behind the entry does not disturb it."""
        message = LDAPMessage(LDAPSearchResultEntry(b"cn=a", []), controls=[(b"1.2", None, b"x")], id=5).toWire()
        self.assertEqual(decoded(message), Entry("cn=a", {}))

    def test_name_that_is_not_utf8(self) -> None:
        """A name turns back into its bytes even if they are no text."""
        self.assertEqual(wire_name(decoded(encoded(b"cn=M\xfcller", [])).dn), b"cn=M\xfcller")

    def test_every_cut_is_noticed(self) -> None:
        """An entry that ends early, at whatever byte, is broken and not half an entry."""
        message = encoded(b"cn=a,dc=adatum", [("mail", [b"a@adatum.com", b"b" * 200])])
        _, _, at = open_message(message)
        for end in range(at, len(message)):
            self.assertRaises(BrokenMessage, read_entry, message[:end], at)

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_damage_is_contained(self, data: st.DataObject) -> None:
        """Whatever byte is changed: an entry comes out, or BrokenMessage, and never any other error."""
        message = bytearray(encoded(b"cn=a,dc=adatum", [("mail", [b"a@adatum.com", b"b" * 200]), ("cn", [b"a"])]))
        for _ in range(data.draw(st.integers(1, 3))):
            message[data.draw(st.integers(2, len(message) - 1))] = data.draw(st.integers(0, 255))
        try:
            _, _, at = open_message(bytes(message))
            read_entry(bytes(message), at)
        except BrokenMessage:
            pass

    def test_overlong_values(self) -> None:
        """A value, set or list that claims more than what is around it is refused."""
        message = bytearray(encoded(b"cn=a", [("cn", [b"abc"])]))
        _, _, at = open_message(bytes(message))
        for number in (position for position in range(at, len(message)) if message[position] in (3, 5, 4 + 5, 11, 13)):
            damaged = bytearray(message)
            damaged[number] += 1
            self.assertRaises(BrokenMessage, read_entry, bytes(damaged), at)

    def test_messages_without_an_id(self) -> None:
        """The id is an integer of one to four octets (RFC 4511 4.1.1)."""
        for broken in (
            b"\x30\x00",
            b"\x30\x03\x04\x01\x05",
            b"\x30\x02\x02\x00",
            b"\x30\x07\x02\x05\x01\x01\x01\x01\x01",
        ):
            self.assertRaises(BrokenMessage, open_message, broken)
