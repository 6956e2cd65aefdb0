"""Reading at a limited speed: what a slow client and a slow back-end have in common."""

from __future__ import annotations

import time

CHUNK = 262144
"""Bytes read or written at once."""


class Pace:
    """Sleeps whenever more than `speed` bytes a second have been taken since it was made; a speed of 0 never sleeps."""

    def __init__(self, speed: int) -> None:
        self._speed = speed
        self._taken = 0
        self._began = time.monotonic()

    def took(self, count: int) -> None:
        """Count bytes taken, and wait until they were allowed to have been."""
        self._taken += count
        if self._speed:
            ahead = self._taken / self._speed - (time.monotonic() - self._began)
            if ahead > 0:
                time.sleep(ahead)
