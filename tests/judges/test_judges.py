"""The judges can say no: what they find is told apart from what they should find, without a network and in no time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.judges import autobahn, cache, gunicorn, litmus
from tests.judges.__main__ import hold, sittings
from tests.judges.finding import Finding, Sitting, exactly, run
from tests.judges.sessions import tree
from tests.real import tls
from tests.real.apache import Apache
from tests.real.recorder import Recorder


class FindingTests(SynchronousTestCase):
    """Counts, complaints and how a sitting is told."""

    def test_exactly(self) -> None:
        """Just these counts, and no trouble."""
        complaints = exactly(passed=2, skipped=1)
        self.assertEqual(complaints(Finding({"passed": 2, "skipped": 1, "failed": 0})), [])
        self.assertEqual(
            complaints(Finding({"passed": 1, "failed": 1}, ("that one",))),
            ["expected 2 passed, 1 skipped, found 1 passed, 1 failed", "that one"],
        )

    def test_words(self) -> None:
        """Passed, failed, skipped by a missing tool, skipped by a failed installation, broken."""

        def unavailable() -> Finding:
            raise cache.Unavailable("not to be had")

        def broken() -> Finding:
            raise ValueError("no idea")

        def judged(find: object = lambda: Finding({"passed": 1}), missing: str | None = None) -> tuple[str, str]:
            sitting = Sitting("a", "b", lambda: missing, find, exactly(passed=1))  # type: ignore[arg-type]
            return hold(sitting)[:2]

        self.assertEqual(judged(), ("passed", "1 passed"))
        self.assertEqual(judged(lambda: Finding({"passed": 2})), ("failed", "2 passed"))
        self.assertEqual(judged(missing="no such tool"), ("skipped", "no such tool"))
        self.assertEqual(judged(unavailable), ("skipped", "not to be had"))
        self.assertEqual(judged(broken), ("failed", "broken"))

    def test_names(self) -> None:
        """A name is a part of "JUDGE: WAY"; no two sittings are called the same."""
        every = [(one.judge, one.way) for one in sittings([])]
        self.assertEqual(len(every), len(set(every)))
        self.assertEqual({one.judge for one in sittings(["litmus"])}, {"litmus"})
        self.assertEqual(sittings(["no such judge"]), [])

    def test_run(self) -> None:
        """Status and words of a program; 124 and what it said so far when it takes too long."""
        here = Path(tempfile.gettempdir())
        self.assertEqual(run(["sh", "-c", "cat; echo no >&2; exit 3"], here, stdin="yes\n"), (3, "yes\nno\n"))
        self.assertEqual(run(["sh", "-c", "echo yes; exec sleep 60"], here, patience=0.5), (124, "yes\n"))


class VerdictTests(SynchronousTestCase):
    """Judges of a server that does it wrong."""

    def test_litmus_without_rewriting(self) -> None:
        """F6: with TLS ended in front and `Destination` left alone COPY and MOVE fail, and litmus says so."""
        reason = litmus.missing() or tls.missing()
        if reason:
            self.skipTest(reason)
        with Apache() as back_end, tls.TlsProxy(back_end.port) as proxy:
            finding = litmus.judge(proxy.url)
        self.assertEqual(dict(finding.counts), {"passed": 95, "failed": 8})
        self.assertEqual(len(finding.troubles), 8)

    def test_gunicorn_accepted(self) -> None:
        """A server that takes what must be refused is found out."""
        bad = gunicorn.Case("invalid/two-hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ())
        with Recorder() as recorder:
            self.assertEqual(gunicorn.attempt(bad, recorder.port, recorder), "accepted")

    def test_gunicorn_altered(self) -> None:
        """A request that arrives as another one is found out."""
        expected = ({"method": "GET", "uri": "/b", "body": b""},)
        with Recorder() as recorder:
            case = gunicorn.Case("valid/other", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", expected)
            self.assertTrue(gunicorn.attempt(case, recorder.port, recorder).startswith("altered"))

    def test_gunicorn_complaints(self) -> None:
        """Too few refused or accepted, or another corpus, is a complaint."""
        outcomes = {f"invalid/{n}": "accepted" for n in range(53)} | {f"valid/{n}": "refused [400]" for n in range(47)}
        found = gunicorn.complaints(Finding({"refused": 0, "accepted": 0}, (), outcomes))
        self.assertEqual(len(found), 100)
        self.assertEqual(len(gunicorn.complaints(Finding({"refused": 53, "accepted": 47}, (), {}))), 1)

    def test_autobahn_compare(self) -> None:
        """Another verdict, or another end, is a difference; OK and NON-STRICT are none."""
        same = dict.fromkeys(map(str, range(autobahn.NUMBER_OF_CASES - 3)), "OK / OK")
        direct = Finding({}, (), {**same, "x": "OK / OK", "y": "NON-STRICT / OK", "z": "OK / OK"})
        through = Finding({}, (), {**same, "x": "FAILED / OK", "y": "OK / OK", "z": "OK / WRONG CODE"})
        self.assertEqual([line.split(":")[0] for line in autobahn.compare(direct, through)], ["case x", "case z"])
        self.assertEqual(len(autobahn.compare(direct, Finding({}))), 1)

    def test_tree(self) -> None:
        """A file's content counts; mod_dav's own property files do not."""
        folder = Path(self.mktemp())
        for name, text in (("a/b", "one"), ("a/.DAV/b", "properties")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        before = tree(folder)
        self.assertEqual([line.split()[0] for line in before], ["a", "a/b"])
        (folder / "a/b").write_text("two")
        self.assertNotEqual(tree(folder), before)


class CacheTests(SynchronousTestCase):
    """What the judges need is built once and whole, or told as unavailable."""

    def test_built_once(self) -> None:
        """A second call finds it made; a failure leaves nothing behind and is tried again."""
        folder = Path(self.mktemp())
        folder.parent.mkdir(exist_ok=True)
        with self.assertRaises(cache.Unavailable), cache.built_once(folder):
            raise cache.Unavailable("no network")
        self.assertFalse(folder.exists())
        found = []
        for _ in range(2):
            with cache.built_once(folder) as building:
                found.append(building)
        self.assertEqual(found, [True, False])

    def test_unavailable(self) -> None:
        """A source that cannot be downloaded is Unavailable, with pip's last words."""
        elsewhere = {"XDG_CACHE_HOME": self.mktemp(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
        with mock.patch.dict(os.environ, elsewhere):
            error = self.assertRaises(cache.Unavailable, cache.source, "gunicorn")
        self.assertIn("gunicorn", str(error))
