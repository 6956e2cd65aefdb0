"""Schemas: the queries they build and what they read out of entries."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from exfront.config.settings import SchemaName
from exfront.directory.interface import Scope
from exfront.directory.make import make_schema
from exfront.directory.matching import comparable, matches
from exfront.directory.schemas.exchange import smtp_addresses
from exfront.model import AccountName, NameKind
from tests.fakes.directory import ORGANISATION, ROOT, entry, person, server, settings


def finds(schema: object, kind: NameKind, value: str, one: object) -> bool:
    """Whether the schema's search for that name finds the entry."""
    query = schema.account_query(AccountName(kind, value))
    values = {name: frozenset(map(comparable, several)) for name, several in one.attributes.items()}
    return matches(query.filter, values)


class Exchange(SynchronousTestCase):
    def setUp(self) -> None:
        self.schema = make_schema(settings())
        self.anna = person("anna", "Mailbox1", proxyAddresses=["smtp:A.Berg@contoso.com", "SMTP:Anna@Adatum.com"])

    def test_two_answers_are_enough(self) -> None:
        """F19: the size limit is two, the base the configured one, only needed attributes are asked for."""
        query = self.schema.account_query(AccountName(NameKind.ADDRESS, "anna@adatum.com"))
        self.assertEqual((query.base, query.scope, query.size_limit), (ROOT, Scope.SUBTREE, 2))
        self.assertNotIn("*", query.attributes)
        self.assertNotIn("userPassword", query.attributes)

    def test_names_find_their_entry(self) -> None:
        """F14, F26: addresses by proxyAddresses, principals by UPN or address, accounts by sAMAccountName or uid."""
        for kind, value in (
            (NameKind.ADDRESS, "anna@adatum.com"),
            (NameKind.ADDRESS, "a.berg@contoso.com"),
            (NameKind.PRINCIPAL, "anna@adatum.com"),
            (NameKind.PRINCIPAL, "a.berg@contoso.com"),
            (NameKind.ACCOUNT, "anna"),
        ):
            self.assertTrue(finds(self.schema, kind, value, self.anna), (kind, value))

    def test_names_find_nothing_else(self) -> None:
        """A bare name is no address, and an address no bare name."""
        for kind, value in (
            (NameKind.ADDRESS, "anna"),
            (NameKind.ACCOUNT, "anna@adatum.com"),
            (NameKind.ADDRESS, "*"),
            (NameKind.ACCOUNT, "*"),
            (NameKind.ACCOUNT, "anna)(uid=*"),
        ):
            self.assertFalse(finds(self.schema, kind, value, self.anna), (kind, value))

    def test_an_account_by_uid_only(self) -> None:
        """Where there is no sAMAccountName, `uid` is the logon name."""
        one = entry(f"uid=eve,{ROOT}", objectClass="inetOrgPerson", uid="eve")
        self.assertTrue(finds(self.schema, NameKind.ACCOUNT, "eve", one))
        self.assertEqual(self.schema.read_account(one).name, "eve")

    def test_the_primary_address_comes_first(self) -> None:
        """F12: the one whose prefix is in capitals, in lower case; other kinds of address are left out."""
        record = self.schema.read_account(self.anna)
        self.assertEqual(record.addresses, ("anna@adatum.com", "a.berg@contoso.com"))
        self.assertEqual(
            smtp_addresses(("x400:c=us", "smtp:B@x", "SMTP:A@x", "smtp:a@X", "smtp:nonsense")), ("a@x", "b@x")
        )

    def test_identity(self) -> None:
        """F44: the SID, else the entry's UUID, else the DN in one spelling."""
        uuid = b"3e1b2a5c-0000-1040-8000-000000000001"
        self.assertEqual(self.schema.read_account(self.anna).identity, b"\x01\x05\0\0anna")
        without = entry(f"uid=eve,{ROOT}", entryUUID=uuid)
        self.assertEqual(self.schema.read_account(without).identity, uuid)
        bare = entry(f"UID=Eve, {ROOT}")
        self.assertEqual(self.schema.read_account(bare).identity, f"uid=eve,{ROOT}".encode())

    def test_http_switched_off(self) -> None:
        """F18: `HTTP§0§…` in UTF-8 or Latin-1; other protocols' settings and other values do not count."""
        for value, enabled in (
            ("HTTP§0§1§§§§§§", False),
            ("HTTP§0§1".encode("latin-1"), False),
            ("http§0", False),
            ("HTTP§1§0§§", True),
            ("HTTP§01§", True),
            ("POP3§0§1", True),
            (b"HTTP", True),
        ):
            record = self.schema.read_account(person("anna", None, protocolSettings=value))
            self.assertEqual(record.http_enabled, enabled, value)

    def test_a_configured_attribute_switches_off_too(self) -> None:
        """F18: whatever the schema."""
        schema = make_schema(settings(disabled_attribute="webDisabled"))
        self.assertFalse(schema.read_account(person("anna", None, webDisabled="TRUE")).http_enabled)
        self.assertTrue(schema.read_account(person("anna", None, webDisabled="FALSE")).http_enabled)
        self.assertIn("webDisabled", schema.account_query(AccountName(NameKind.ACCOUNT, "anna")).attributes)

    def test_servers(self) -> None:
        """Where a server is: networkAddress, else dNSHostName, else unsaid."""
        read = self.schema.topology.read_server
        self.assertEqual(read(server("Backend1"))[:2], ("backend1", "backend1.adatum.com"))
        other = entry(f"CN=BE2,{ORGANISATION}", dNSHostName="BE2.adatum.com", networkAddress="netbios:BE2")
        self.assertEqual(read(other)[:2], ("be2", "be2.adatum.com"))
        self.assertEqual(read(entry(f"CN=BE3,{ORGANISATION}"))[:2], ("be3", None))

    def test_old_servers(self) -> None:
        """F43: below version 6.0 a server is not current; one that does not say is."""
        read = self.schema.topology.read_server
        for version, current in (
            ("Version 5.5 (Build 2653.23)", False),
            ("Version 6.0 (Build 4417.5)", True),
            ("Version 6.5 (Build 7638.2)", True),
            ("Version 15.2 (Build 1)", True),
            ("version 4.0", False),
            ("whatever", True),
        ):
            self.assertEqual(read(server("x", version)).current, current, version)
        self.assertTrue(read(entry(f"cn=x,{ORGANISATION}")).current)

    def test_stores_are_looked_for_in_the_configuration(self) -> None:
        """Stores, trees and servers may live below another base than people."""
        topology = make_schema(settings(configuration_base="cn=Configuration,dc=adatum")).topology
        self.assertEqual(topology.replicas_query("cn=Apps").base, "cn=Configuration,dc=adatum")
        self.assertEqual(topology.survey_query().size_limit, 0)
        self.assertEqual(topology.store_query("cn=Mailbox1")[:2], ("cn=Mailbox1", Scope.BASE))

    def test_what_cannot_be_read_is_absent(self) -> None:
        """Bytes that are no text harm nothing."""
        record = self.schema.read_account(
            entry(f"uid=eve,{ROOT}", sAMAccountName=b"\xff", homeMDB=b"\xff\xfe", proxyAddresses=b"SMTP:\xff@x")
        )
        self.assertEqual((record.name, record.store, record.addresses), ("eve", None, ()))


class Laser(SynchronousTestCase):
    def setUp(self) -> None:
        self.schema = make_schema(settings(schema=SchemaName.LASER))
        self.anna = entry(
            f"uid=anna,{ROOT}",
            uid="anna",
            mail="Anna@adatum.com",
            mailLocalAddress=["a@contoso.com", "anna@adatum.com"],
            mailHost="Backend1.Adatum.com",
        )

    def test_reading(self) -> None:
        """Addresses with `mail` first, the home from mailHost in lower case."""
        record = self.schema.read_account(self.anna)
        self.assertEqual(record.addresses, ("anna@adatum.com", "a@contoso.com"))
        self.assertEqual((record.name, record.host, record.store), ("anna", "backend1.adatum.com", None))

    def test_an_ipv6_home_loses_its_brackets(self) -> None:
        """The address is connected to, not printed."""
        self.assertEqual(self.schema.read_account(entry("uid=x", mailHost="[::1]")).host, "::1")
        self.assertIsNone(self.schema.read_account(entry("uid=x", mailHost=" ")).host)

    def test_names_find_their_entry(self) -> None:
        """Addresses by mailLocalAddress, accounts by uid."""
        self.assertTrue(finds(self.schema, NameKind.ADDRESS, "a@contoso.com", self.anna))
        self.assertTrue(finds(self.schema, NameKind.PRINCIPAL, "a@contoso.com", self.anna))
        self.assertTrue(finds(self.schema, NameKind.ACCOUNT, "anna", self.anna))
        self.assertFalse(finds(self.schema, NameKind.ADDRESS, "anna", self.anna))
        self.assertIsNone(self.schema.topology)


class Custom(SynchronousTestCase):
    def schema(self, **keys: str) -> object:
        return make_schema(settings(schema=SchemaName.CUSTOM, home_attribute="shard", **keys))

    def test_configured_names(self) -> None:
        """Every name comes from the configuration; the filter holds besides."""
        schema = self.schema(
            name_attribute="login", address_attribute="email", identity_attribute="id", disabled_attribute="off",
            account_filter="(objectClass=member)",
        )  # fmt: skip
        one = entry("cn=x", objectClass="member", login="eve", email="Eve@x.org", shard="S1", id="77", off="yes")
        other = entry("cn=y", objectClass="guest", login="eve")
        self.assertEqual(schema.read_account(one)[1:], ("eve", b"77", ("eve@x.org",), False, None, "s1"))
        self.assertTrue(finds(schema, NameKind.ACCOUNT, "eve", one))
        self.assertTrue(finds(schema, NameKind.ADDRESS, "eve@x.org", one))
        self.assertTrue(finds(schema, NameKind.PRINCIPAL, "eve@x.org", one))
        self.assertFalse(finds(schema, NameKind.ACCOUNT, "eve", other))

    def test_proxy_addresses_keep_their_prefix(self) -> None:
        """An address attribute with prefixes is searched and read with them."""
        schema = self.schema(address_attribute="proxyAddresses")
        one = entry("cn=x", proxyAddresses=["smtp:b@x", "SMTP:a@x"])
        self.assertEqual(schema.read_account(one).addresses, ("a@x", "b@x"))
        schema = self.schema(address_attribute="proxyAddresses", account_filter="(proxyAddresses=*)")
        self.assertTrue(finds(schema, NameKind.ADDRESS, "a@x", one))

    def test_a_bad_filter_is_a_value_error(self) -> None:
        """So that a check of the configuration can report it."""
        self.assertRaises(ValueError, self.schema, account_filter="(objectClass=person")
