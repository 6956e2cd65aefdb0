"""HTTP/1.1 through a real exfront, as others judge it: varnishtest's scripts, gunicorn's corpus, our own corpus over a socket."""

from __future__ import annotations

from tests.judges import corpus, gunicorn, varnish
from tests.real.sitting import SittingTestCase


class WireTests(SittingTestCase):
    """Client, exfront and back-end on real sockets."""

    def test_varnishtest(self) -> None:
        """Connection's fields, keep-alive, pipelining, chunks and trailers, HEAD, 204, 304, 1xx, 100-continue, HTTP/1.0 (F2, F3, F5)."""
        self.hold(varnish.SITTINGS, "varnishtest", "through exfront")

    def test_gunicorn(self) -> None:
        """At least 43 of 53 invalid requests are refused and 36 of 47 valid ones accepted."""
        self.hold(gunicorn.SITTINGS, "gunicorn", gunicorn.SITTINGS[0].way)

    def test_corpus(self) -> None:
        """Every smuggling form gets its status and a closed connection; nothing whole reaches the back-end."""
        self.hold(corpus.SITTINGS, "corpus", "through exfront")
