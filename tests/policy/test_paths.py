"""Paths: what is safe, what matches, which mailbox is named."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.policy.paths import (
    Paths,
    _careful_segments,
    _needs_care,
    _plain_segments,
    depth_of,
    implicit_target,
    mailbox_of,
)

_PIECES = st.sampled_from(
    [b"/", b"//", b".", b"..", b"%2e", b"%2E", b"%252e", b"%2f", b"%252F", b"%5c", b"\\", b"%", b"%25", b";x", b"%3b", b"a",
     b"anna@adatum.com", b"exchange", b"%00", b"%0d", b"%c0%ae", b"\xc0\xaf", b"%20", b" ", b"%C3%BC", b"\xff", b"?", b"#"]
)  # fmt: skip
_PATHS = st.lists(_PIECES, max_size=8).map(lambda parts: b"/" + b"".join(parts)) | st.binary(max_size=40)


def _dotted(path: bytes) -> bool:
    segments = path.replace(b"\\", b"/").split(b"/")
    return any(one.partition(b";")[0].strip() in (b".", b"..") for one in segments)


def safe_segments(path: bytes) -> tuple[bytes, ...] | None:
    """All segments of a path, by whichever of the two readings `Paths.find` takes for it; None where it is not safe."""
    return _careful_segments(path) if _needs_care(path) else _plain_segments(path, path.count(b"/"))


class SafePaths(SynchronousTestCase):
    def test_segments_for_matching(self) -> None:
        """F7: whole segments, without regard to case, after one decoding; a slash at the end is an empty segment."""
        self.assertEqual(safe_segments(b"/Exchange/Anna/"), (b"exchange", b"anna", b""))
        self.assertEqual(safe_segments(b"/"), (b"",))
        self.assertEqual(safe_segments(b"/%45xchange/gr%C3%BCn"), (b"exchange", b"gr\xc3\xbcn"))
        self.assertEqual(safe_segments(b"/exchange//anna"), (b"exchange", b"", b"anna"))

    def test_escaped_slash_stays_in_its_segment(self) -> None:
        """F7: `%2F` separates nothing."""
        self.assertEqual(safe_segments(b"/exchange/a%2Fb/c"), (b"exchange", b"a/b", b"c"))

    def test_parameters_are_no_part_of_a_segment(self) -> None:
        """F7, S3: `;jsessionid=` neither hides a directory nor names one."""
        self.assertEqual(safe_segments(b"/shop;jsessionid=1/cart;v=2"), (b"shop", b"cart"))

    def test_honest_percent_signs_dots_and_blanks_pass(self) -> None:
        """F7: names may hold percent signs, dots and blanks."""
        for path in (
            b"/a/100%25",
            b"/a/.hidden",
            b"/a/...",
            b"/a/b..c",
            b"/a/v1.2./x",
            b"/a/my%20file.eml",
            b"/a/x%2525",
        ):
            self.assertIsNotNone(safe_segments(path), path)

    def test_dot_segments_are_refused_in_every_dress(self) -> None:
        """F7: plain, escaped once and more often, behind other separators, with parameters, with overlong UTF-8."""
        for path in (
            b"/exchange/../admin", b"/exchange/./anna", b"/..", b"/.", b"/exchange/..", b"/exchange/%2e%2e/admin",
            b"/exchange/.%2E/x", b"/exchange/%252e%252e/x", b"/exchange/%25252e%25252e/x", b"/public/a%2f..%2fb",
            b"/public/a%5c..%5cb", b"/public/a\\..\\b", b"/public/..\\b", b"/public/..;x/b", b"/public/..;/b",
            b"/public/%2e%2e;x=1/b", b"/public/..%3bx/b", b"/public/%c0%ae%c0%ae/b", b"/public/..%c0%afb", b"/public/..%20/b",
            b"/public/.. /b", b"/public/%e0%80%ae./b", b"/public/a%252f..%252fb", b"/public/a%255c..%255cb",
        ):  # fmt: skip
            self.assertIsNone(safe_segments(path), path)

    def test_broken_escapes_and_controls_are_refused(self) -> None:
        """F7: what could be read in two ways is not read at all."""
        for path in (b"/a%", b"/a%2", b"/a%zz", b"/a%u002e", b"/a%00", b"/a%0d%0ab", b"/a\x00", b"/a%7f", b"/a\x1f", b"/%2500",
                     b"", b"*", b"a/b", b"/%25252525252e"):  # fmt: skip
            self.assertIsNone(safe_segments(path), path)

    @settings(deadline=None, max_examples=400)
    @given(_PATHS)
    @example(b"/a%2f%2e%2e")
    @example(b"/%25%32%65%25%32%65/")
    def test_no_accepted_path_holds_a_dot_segment(self, path: bytes) -> None:
        """F7: not as sent, not decoded once, not decoded twice; and nothing ever raises."""
        if safe_segments(path) is None:
            return
        once = unquote_to_bytes(path)
        for reading in (path, once, unquote_to_bytes(once), unquote_to_bytes(unquote_to_bytes(once))):
            self.assertFalse(_dotted(reading), reading)
            self.assertNotIn(b"\x00", reading)

    @settings(deadline=None, max_examples=400)
    @given(_PATHS | st.lists(st.sampled_from([b"/", b"a", b".", b"%"]) | st.integers(0, 255).map(lambda n: b"%%%02X" % n), max_size=8)
           .map(lambda parts: b"/x" + b"".join(parts)))  # fmt: skip
    def test_the_short_cut_comes_to_the_same(self, path: bytes) -> None:
        """F7: a path that seems harmless reads the same with all care, for its segments and for its leaf."""
        careful = _careful_segments(path)
        self.assertEqual(safe_segments(path), careful)
        safe, leaf = Paths({b"/x/a": 1, b"/exchange": 2, b"/": 3}).find(path)
        if careful is None:
            self.assertFalse(safe)
        elif safe:
            self.assertEqual(leaf, 1 if careful[:2] == (b"x", b"a") else 2 if careful[:1] == (b"exchange",) else 3)

    def test_a_long_hostile_path_costs_little(self) -> None:
        """F7: escapes of escapes are followed three times, then refused."""
        self.assertIsNone(safe_segments(b"/%" + b"25" * 30000 + b"2e"))
        self.assertIsNone(safe_segments(b"/" + b"%25" * 20000 + b"%00"))


class FindingLeaves(SynchronousTestCase):
    def setUp(self) -> None:
        self.paths = Paths({b"/exchange": "mail", b"/public": "public", b"/public/apps": "apps", b"/Shop": "shop"})

    def test_the_longest_match_wins_on_whole_segments(self) -> None:
        """F7: `/public/apps/x` is the apps directory's, `/public/appsx` is not; an address outside leads nowhere."""
        found = {
            path: self.paths.find(path)
            for path in (b"/public/Apps/x", b"/PUBLIC/appsx", b"/public", b"/exchang", b"/", b"/shop/")
        }
        self.assertEqual(
            [leaf for safe, leaf in found.values() if safe], ["apps", "public", "public", None, None, "shop"]
        )

    def test_escapes_do_not_hide_a_directory(self) -> None:
        """F7: matching comes after decoding."""
        self.assertEqual(self.paths.find(b"/%65xchange/anna"), (True, "mail"))
        self.assertEqual(self.paths.find(b"/exchange;v=1/anna"), (True, "mail"))

    def test_two_readings_that_differ_are_refused(self) -> None:
        """F7: a back-end that merges slashes or decodes `%2F` must not find what the front-end did not."""
        for path in (
            b"//exchange/anna",
            b"/public//apps/x",
            b"/public%2fapps/x",
            b"/public\\apps",
            b"/exchange%2fanna",
        ):
            self.assertEqual(self.paths.find(path), (False, None), path)
        self.assertEqual(self.paths.find(b"/exchange/anna//x"), (True, "mail"))
        self.assertEqual(self.paths.find(b"/public/a%2fb"), (True, "public"))

    def test_parameters_hide_no_mailbox(self) -> None:
        """F7: behind a directory's own name no parameter may say a mailbox to a back-end that decodes before it cuts parameters off."""
        for path in (
            b"/exchange;x=1%2fbob",
            b"/exchange;%5cbob/",
            b"/exchange;\\bob/anna/",
            b"/%65xchange;x%252fbob/anna/",
            b"/exchange;%25252fbob",
        ):
            self.assertEqual(self.paths.find(path), (False, None), path)
        for path in (b"/exchange;jsessionid=1.a/anna", b"/exchange/anna/x;a=%2fb"):
            self.assertEqual(self.paths.find(path), (True, "mail"), path)

    def test_unsafe_paths_find_nothing(self) -> None:
        """F7: 400 comes before 404."""
        self.assertEqual(self.paths.find(b"/exchange/../x"), (False, None))
        self.assertEqual(self.paths.find(b"/nowhere/%2e%2e/x"), (False, None))

    def test_a_root_directory_takes_the_rest(self) -> None:
        """F7: `/` matches whatever no longer path does."""
        paths = Paths({b"/": "all", b"/exchange": "mail"})
        self.assertEqual([paths.find(one)[1] for one in (b"/", b"/x/y", b"/exchange")], ["all", "all", "mail"])
        self.assertEqual(paths.find(b"//exchange"), (False, None))

    def test_no_directories_at_all(self) -> None:
        """F7: nothing configured leads nowhere."""
        self.assertEqual(Paths[str]({}).find(b"/x"), (True, None))


class Mailboxes(SynchronousTestCase):
    def test_implicit(self) -> None:
        """F12: the directory's own path, with or without a slash."""
        self.assertEqual([mailbox_of(b"/exchange", 1), mailbox_of(b"/exchange/", 1), mailbox_of(b"/", 0)], ["", "", ""])
        self.assertEqual([mailbox_of(b"/a/b", 2), mailbox_of(b"/a/b/", 2)], ["", ""])

    def test_explicit(self) -> None:
        """F14, F15: the segment after the directory, decoded, in lower case."""
        for path, name in (
            (b"/exchange/Anna", "anna"), (b"/exchange/anna/Inbox/x.eml", "anna"), (b"/exchange/anna@Other.com/", "anna@other.com"),
            (b"/exchange/anna%40other.com", "anna@other.com"), (b"/exchange/J%C3%9Crgen/", "jürgen"),
            (b"/exchange/j\xc3\xbcrgen", "jürgen"),
        ):  # fmt: skip
            self.assertEqual(mailbox_of(path, 1), name)
        self.assertEqual(mailbox_of(b"/anna/x", 0), "anna")

    def test_neither(self) -> None:
        """F7, F19: an empty segment and what no mailbox can be called."""
        for path in (b"/exchange//anna", b"/exchange//", b"/exchange/%ff", b"/exchange/a%2fb/", b"/exchange/a%20b", b"/exchange/anna;x",
                     b"/exchange/%C2%A0anna", b"/exchange/a\\b", b"/exchange/" + b"a" * 321):  # fmt: skip
            self.assertIsNone(mailbox_of(path, 1), path)

    def test_depths(self) -> None:
        """F7: `/` has no segment of its own."""
        self.assertEqual([depth_of(b"/"), depth_of(b"/exchange"), depth_of(b"/a/b")], [0, 1, 2])


class ImplicitTargets(SynchronousTestCase):
    def test_the_mailbox_is_put_in(self) -> None:
        """F12: the client's spelling and the query stay."""
        for target, expected in (
            (b"/exchange/", b"/exchange/anna/"), (b"/Exchange", b"/Exchange/anna/"), (b"/exchange?", b"/exchange/anna/?"),
            (b"/%65xchange/?Cmd=x/y?z", b"/%65xchange/anna/?Cmd=x/y?z"), (b"/", b"/anna/"),
        ):  # fmt: skip
            self.assertEqual(implicit_target(target, "anna"), expected)

    def test_the_mailbox_is_one_segment(self) -> None:
        """F12: `@` stays, all that would end or change the segment is escaped."""
        self.assertEqual(implicit_target(b"/x/", "anna@adatum.com"), b"/x/anna@adatum.com/")
        self.assertEqual(implicit_target(b"/x/", "a/b?c#d%e;f ü"), b"/x/a%2Fb%3Fc%23d%25e%3Bf%20%C3%BC/")

    @settings(deadline=None, max_examples=200)
    @given(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
            lambda name: name not in (".", "..")
        )
    )
    def test_reads_back(self, name: str) -> None:
        """F12: any directory's name survives as one segment, and no other way of reading the target is opened."""
        target = implicit_target(b"/exchange/?q", name)
        path, _, query = target.partition(b"?")
        self.assertEqual(query, b"q")
        self.assertEqual([unquote_to_bytes(one) for one in path.split(b"/")], [b"", b"exchange", name.encode(), b""])
