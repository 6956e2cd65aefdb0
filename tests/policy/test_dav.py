"""URLs inside header fields change their scheme on the way in, and back on the way out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.policy.dav import from_back_end, to_back_end

HOST = b"www.adatum.com"
_PIECES = st.sampled_from(
    [
        b"<",
        b">",
        b"(",
        b")",
        b'"',
        b"[",
        b"]",
        b" ",
        b"Not ",
        b"https://www.adatum.com/x",
        b"http://www.adatum.com",
        b"urn:uuid:1",
        b",",
    ]
)


def inwards(value: bytes, host: bytes = HOST) -> bytes:
    return to_back_end(value, b"https", host, b"http")


def outwards(value: bytes, host: bytes = HOST) -> bytes:
    return from_back_end(value, b"https", host, b"http")


class Destinations(SynchronousTestCase):
    def test_the_front_end_s_own_url_gets_the_back_end_s_scheme(self) -> None:
        """F6: path bytes as they came; the authority as in `Host`."""
        self.assertEqual(
            inwards(b"https://www.adatum.com/exchange/anna/Gr%C3%BC%20x;v=1?a#b"),
            b"http://www.adatum.com/exchange/anna/Gr%C3%BC%20x;v=1?a#b",
        )
        self.assertEqual(inwards(b"https://www.adatum.com/a(1)<2>.txt"), b"http://www.adatum.com/a(1)<2>.txt")
        self.assertEqual(inwards(b"HTTPS://WWW.Adatum.Com/x"), b"http://www.adatum.com/x")
        self.assertEqual(inwards(b"https://www.adatum.com"), b"http://www.adatum.com")

    def test_default_ports_make_no_difference(self) -> None:
        """F6: RFC 9110 4.2.3."""
        self.assertEqual(inwards(b"https://www.adatum.com:443/x"), b"http://www.adatum.com/x")
        self.assertEqual(inwards(b"https://www.adatum.com/x", b"www.adatum.com:443"), b"http://www.adatum.com:443/x")
        self.assertEqual(
            inwards(b"https://www.adatum.com:8443/x", b"www.adatum.com:8443"), b"http://www.adatum.com:8443/x"
        )
        self.assertEqual(inwards(b"https://[::1]:443/x", b"[::1]"), b"http://[::1]/x")

    def test_other_urls_are_left_alone(self) -> None:
        """F6: another host, port, scheme or user; a path alone; nonsense."""
        for value in (
            b"https://other.com/x", b"https://www.adatum.com:8443/x", b"https://www.adatum.com:80/x", b"http://www.adatum.com/x",
            b"https://user@www.adatum.com/x", b"https://www.adatum.com.evil.org/x", b"/exchange/anna/x", b"", b"https:/www.adatum.com",
            b"https://evil.org/https://www.adatum.com/", b"://", b"ftp://www.adatum.com/x", b"https://www.adatum.com\\@evil.org/",
        ):  # fmt: skip
            self.assertEqual(inwards(value), value)

    def test_nothing_to_do(self) -> None:
        """F6: the same scheme on both sides, or a client without `Host`."""
        value = b"https://www.adatum.com:443/x"
        self.assertEqual(to_back_end(value, b"https", HOST, b"https"), value)
        self.assertEqual(from_back_end(value, b"https", HOST, b"https"), value)
        self.assertEqual([inwards(value, b""), outwards(value, b"")], [value, value])

    def test_plain_in_front_of_tls(self) -> None:
        """F6: the other way round it is the same rule."""
        self.assertEqual(to_back_end(b"http://www.adatum.com/x", b"http", HOST, b"https"), b"https://www.adatum.com/x")
        self.assertEqual(
            from_back_end(b"https://www.adatum.com/x", b"http", HOST, b"https"), b"http://www.adatum.com/x"
        )


class IfFields(SynchronousTestCase):
    def test_resource_tags_change_and_state_tokens_do_not(self) -> None:
        """F6: RFC 4918 10.4; a lock token may look like a URL of the front-end's own."""
        value = (
            b'<https://www.adatum.com/a> (<https://www.adatum.com/lock/1> ["W/ )<https://www.adatum.com/>"]) (Not <DAV:no-lock>)'
            b' <https://www.adatum.com:443/b>(<urn:uuid:1>) <https://other.com/c> (["x"])'
        )
        self.assertEqual(
            inwards(value),
            b'<http://www.adatum.com/a> (<https://www.adatum.com/lock/1> ["W/ )<https://www.adatum.com/>"]) (Not <DAV:no-lock>)'
            b' <http://www.adatum.com/b>(<urn:uuid:1>) <https://other.com/c> (["x"])',
        )

    def test_untagged_lists_stay(self) -> None:
        """F6: they speak of the request's own target."""
        for value in (b'(<urn:uuid:1> ["e"])', b'(["a"]) (["b"])', b"()"):
            self.assertEqual(inwards(value), value)

    def test_what_is_malformed_stays(self) -> None:
        """F6: it is the back-end's to refuse."""
        for value in (b"<https://www.adatum.com/", b"(<a", b'(["x', b"(", b"<https://www.adatum.com/x> ("):
            self.assertEqual(inwards(value), value)

    def test_hostile_ones_cost_little(self) -> None:
        """F6: linear, however brackets are piled up."""
        for piece in (b"(", b"<", b"(<", b'("', b"()", b"<>", b'(""', b"(<>"):
            inwards(piece * (60_000 // len(piece)))

    @settings(deadline=None, max_examples=300)
    @given(st.lists(_PIECES, max_size=12).map(b"".join))
    def test_only_schemes_change(self, value: bytes) -> None:
        """F6: whatever comes in, every other byte stays, and it never raises."""
        self.assertEqual(inwards(value).replace(b"https://", b"http://"), value.replace(b"https://", b"http://"))


class Locations(SynchronousTestCase):
    def test_the_back_end_s_urls_get_the_client_s_scheme(self) -> None:
        """F6: so that a redirect does not lead from https to http."""
        self.assertEqual(outwards(b"http://www.adatum.com/exchange/anna/"), b"https://www.adatum.com/exchange/anna/")
        self.assertEqual(outwards(b"http://www.adatum.com:80/x"), b"https://www.adatum.com/x")
        self.assertEqual(
            outwards(b"http://www.adatum.com:8443/x", b"www.adatum.com:8443"), b"https://www.adatum.com:8443/x"
        )

    def test_other_locations_stay(self) -> None:
        """F6: relative ones, other hosts, and those that are right already."""
        for value in (
            b"/exchange/anna/",
            b"../x",
            b"http://other.com/",
            b"https://www.adatum.com/x",
            b"http://www.adatum.com:9001/x",
            b"x",
        ):
            self.assertEqual(outwards(value), value)

    @settings(deadline=None, max_examples=100)
    @given(st.from_regex(rb"/[!-~]{0,20}", fullmatch=True), st.sampled_from([HOST, b"[::1]:8443", b"WWW.adatum.com"]))
    def test_there_and_back(self, path: bytes, host: bytes) -> None:
        """F6: what went in comes back as it was."""
        there = to_back_end(b"https://" + host + path, b"https", host, b"http")
        self.assertEqual(outwards(there, host), b"https://" + host + path)
