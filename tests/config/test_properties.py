"""What holds for every file, be it as wrong as it may."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.config.ini import decoded, parts_of
from exfront.config.tables import TABLES
from tests.config.test_reader import WHOLE
from tests.config.text import mistakes_in

KEY_NAMES = sorted({key.name for table in TABLES for key in table.keys})
TITLES = [table.title + (f" {name}" if table.named else "") for table in TABLES for name in ("default", "x", "")]
SECRET = "Zq7vK-hunter2-Zq7vK"
WORDS = [
    *WHOLE.split(),
    "yes",
    "nan",
    "::1",
    "[",
    "ldap://[",
    "/..",
    "%00",
    "\\",
    "\0",
    "\ufeff",
    "ü",
    "…",
    ";",
    "x" * 300,
    "9" * 5000,
]

word = st.one_of(st.sampled_from(WORDS), st.text(max_size=8))
value = st.lists(word, max_size=3).map(" ".join)
header = st.one_of(st.sampled_from(TITLES), st.text(max_size=12)).map("[{}]".format)
pair = st.builds("{}{}{}".format, st.sampled_from(KEY_NAMES), st.sampled_from([" = ", "=", ": ", " "]), value)
further = st.builds("{}{}".format, st.sampled_from(["  ", "\t", ""]), value)
ini_like = st.lists(st.one_of(header, pair, pair, further), max_size=25).map("\n".join)
secret_line = st.sampled_from(
    [
        f"bind_password = {SECRET}",
        f"bind_password={SECRET}",
        f"bind_password =\n  {SECRET}",
        f"bind_password_file = {SECRET}",
        f"  bind_password = {SECRET}",
        f"bind_pasword = {SECRET}",
        f"bind_password {SECRET}",
        f"bind_password {SECRET}==",
    ]
)


class PropertyTests(SynchronousTestCase):
    """Settings or mistakes, never anything else."""

    def check(self, content: bytes) -> None:
        """What every mistake has."""
        lines = content.count(b"\n") + 1
        titles = {part.title for part in parts_of(decoded(content)[0])[0]}
        mistakes = mistakes_in(content)
        self.assertEqual(list(mistakes), sorted(mistakes, key=lambda one: one.line))
        for mistake in mistakes:
            self.assertTrue(1 <= mistake.line <= lines, mistake)
            self.assertTrue(mistake.section in titles or mistake.section in ("directory", ""), mistake)
            self.assertTrue(mistake.text, mistake)
            self.assertNotIn("\n", str(mistake))

    @settings(deadline=None, max_examples=150)
    @given(st.binary(max_size=300))
    def test_bytes(self, content: bytes) -> None:
        """C1: no bytes make the reader fail; every mistake names a line that is there."""
        self.check(content)

    @settings(deadline=None, max_examples=250)
    @given(ini_like)
    @example("\n".join(TITLES))
    @example("[x\u2028y]\n[directory]\nurl = \u2028\n\x85= 1")
    def test_ini(self, text: str) -> None:
        """C1: nothing that resembles a configuration makes the reader fail; every mistake names its section."""
        self.check(text.encode(errors="surrogatepass"))

    @settings(deadline=None, max_examples=150)
    @given(st.lists(st.integers(0, WHOLE.count("\n")), max_size=4), st.text(max_size=5))
    def test_damaged(self, places: list[int], text: str) -> None:
        """C1: a right configuration with lines spoiled is read or told."""
        lines = WHOLE.split("\n")
        for place in places:
            lines[place] = text + lines[place][1:]
        self.check("\n".join(lines).encode(errors="surrogatepass"))

    @settings(deadline=None, max_examples=250)
    @given(ini_like, secret_line, ini_like, st.booleans())
    def test_secrets(self, before: str, secret: str, after: str, in_directory: bool) -> None:
        """C1: whatever stands around it, a password never shows in a mistake."""
        head = "[directory]\n" if in_directory else ""
        content = f"{before}\n{head}{secret}\n{after}".encode(errors="surrogatepass")
        for mistake in mistakes_in(content):
            self.assertNotIn(SECRET.lower(), str(mistake).lower())

    @settings(deadline=None, max_examples=150)
    @given(st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
    def test_parts_keep_lines(self, content: bytes) -> None:
        """Every piece of a value stands in the line that it names."""
        text, _ = decoded(content)
        lines = text.split("\n")
        for part in parts_of(text)[0]:
            for item in part.items:
                for piece in item.pieces:
                    self.assertIn(piece.text, lines[piece.line - 1])
