"""The corpus: what must be refused is refused, what is odd but right is read, whole and in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from exfront.errors import IncompleteBody, MessageError
from tests.wire.corpus import CASES, ODDITIES, Expected
from tests.wire.reading import bytewise, cut, read_requests

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = st.lists(st.integers(0, 400), max_size=12)


def verdict(pieces: Iterable[bytes]) -> list[Expected | int]:
    """What was read, then the status of the refusal; 0 where a server would wait for more."""
    found: list[Expected | int] = []
    try:
        for head, body, _ in read_requests(pieces):
            found.append((head.method, head.target, head.host, body))
    except IncompleteBody:
        found.append(0)
    except MessageError as error:
        found.append(error.status)
    return found


class CorpusTests(SynchronousTestCase):
    """Every case of the corpus, fed whole, byte by byte and cut anywhere."""

    def test_names_are_unique(self) -> None:
        """A case's name finds it."""
        names = [name for name, *_ in CASES] + [name for name, *_ in ODDITIES]
        self.assertEqual(len(set(names)), len(names))

    def test_refused(self) -> None:
        """No case is read as a request, not even in part, and each gets its status."""
        found = {name: verdict([raw]) for name, raw, _ in CASES}
        self.assertEqual(found, {name: [status] for name, _, status in CASES})

    def test_refused_byte_by_byte(self) -> None:
        """Nor is one when it drips in; early refusals may only be earlier, not milder."""
        found = {name: verdict(bytewise(raw)) for name, raw, _ in CASES}
        self.assertEqual(found, {name: [status] for name, _, status in CASES})

    def test_read(self) -> None:
        """What is odd but right is read."""
        self.assertEqual(
            {name: verdict([raw]) for name, raw, _ in ODDITIES}, {name: read for name, _, read in ODDITIES}
        )

    def test_read_byte_by_byte(self) -> None:
        """It is read the same when it drips in."""
        found = {name: verdict(bytewise(raw)) for name, raw, _ in ODDITIES}
        self.assertEqual(found, {name: read for name, _, read in ODDITIES})

    @settings(deadline=None, max_examples=200)
    @given(
        case=st.sampled_from(
            [*((raw, [status]) for _, raw, status in CASES), *((raw, read) for _, raw, read in ODDITIES)]
        ),
        places=PLACES,
    )
    def test_cut_anywhere(self, case: tuple[bytes, list[Expected | int]], places: list[int]) -> None:
        """Where the network cuts makes no difference."""
        raw, expected = case
        self.assertEqual(verdict(cut(raw, places)), expected)

    @settings(deadline=None, max_examples=300)
    @given(
        case=st.sampled_from([raw for _, raw, _ in ODDITIES]),
        at=st.integers(0, 120),
        junk=st.sampled_from([b"\n", b"\r", b"\0", b"\x0b", b"\x7f", b"\x1c", b"\x85"]),
    )
    def test_no_framing_by_control_characters(self, case: bytes, at: int, junk: bytes) -> None:
        """A control character put anywhere into a head never makes a request of the same bytes with more or other fields."""
        spoiled = case[:at] + junk + case[at:]
        try:
            readings = list(read_requests([spoiled]))
        except MessageError:
            return
        for reading in readings:
            for line in reading.head.lines.split(b"\r\n"):
                self.assertFalse(any((byte < 32 and byte != 9) or byte == 127 for byte in line), reading)
