"""The file that lines are appended to: buffered, opened anew for rotation, and never a reason to stop.

Owns the descriptor and the buffer. Knows nothing of what a line says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.logger import Logger

_STDOUT = 1
_FULL = 65536
_MOST_HELD = 1 << 20
_COMPLAINT = 60.0


class LogFile:
    """Appends to `path`, or to standard output where it is None. Bytes wait at most `delay` seconds, or until 64 KiB are there.

    A write that fails (disk full, file system read-only) loses its lines; how many is logged, once a minute at most.
    """

    def __init__(self, path: Path | None, clock: IReactorTime, log: Logger, delay: float = 0.5) -> None:
        """Opens the file for appending, made with mode 0640 where it is missing. Raises OSError where that cannot be done."""
        self.lost = 0
        """Lines that could not be written since the start."""
        self._path = path
        self._clock = clock
        self._log = log
        self._delay = delay
        self._lines: list[bytes] = []
        self._held = 0
        self._timer: IDelayedCall | None = None
        self._torn = False
        """Whether the file ends in the midst of a line."""
        self._continued = False
        """Whether what waits begins where the file ends."""
        self._unsaid = 0
        self._said = -_COMPLAINT
        self._descriptor = self._opened()

    def write(self, line: bytes) -> None:
        """Take one whole line, with its line feed."""
        self._lines.append(line)
        self._held += len(line)
        if self._held >= _FULL:
            self.flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(self._delay, self._due)

    def flush(self) -> None:
        """Write what waits. Never raises."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        data = b"".join(self._lines)
        self._lines, self._held = [], 0
        if self._torn and not self._continued:
            data = b"\n" + data
        self._continued = False
        try:
            while data:
                done = os.write(self._descriptor, data)
                last = data[done - 1 : done]
                data = data[done:]
                self._torn = bool(data) and last != b"\n"
        except BlockingIOError:
            # Somebody made standard output non-blocking and its reader is slow: what is left may go later.
            self._keep(data)
        except OSError as error:
            self._lose(data, error.strerror or type(error).__name__)

    def reopen(self) -> None:
        """Open the path anew, for log rotation. Where that fails the old file goes on being used, and the log says so."""
        self.flush()
        if self._path is None:
            return
        try:
            descriptor = self._opened()
        except OSError as error:
            self._log.error("{path} cannot be opened anew: {error}", path=self._path, error=error.strerror)
            return
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._torn = False

    def move(self, path: Path | None) -> None:
        """Go on in another file (None: standard output). Raises OSError where it cannot be opened, and then nothing has changed."""
        if path == self._path:
            return
        before = self._path
        self._path = path
        try:
            descriptor = self._opened()
        except OSError:
            self._path = before
            raise
        self.flush()
        if before is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._torn = False

    def close(self) -> None:
        """Write what waits and close; nothing may be written afterwards."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path is not None and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _due(self) -> None:
        self._timer = None
        self.flush()

    def _opened(self) -> int:
        if self._path is None:
            return _STDOUT
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _keep(self, data: bytes) -> None:
        if len(data) > _MOST_HELD:
            self._lose(data, "nobody reads them")
            return
        self._continued = True
        self._lines.append(data)
        self._held = len(data)
        if self._timer is None:
            self._timer = self._clock.callLater(self._delay, self._due)

    def _lose(self, data: bytes, reason: str) -> None:
        lines = data.count(b"\n") - data.startswith(b"\n")
        self.lost += lines
        self._unsaid += lines
        now = self._clock.seconds()
        if now - self._said >= _COMPLAINT:
            self._log.error("{lines} lines of the access log are lost: {reason}", lines=self._unsaid, reason=reason)
            self._said = now
            self._unsaid = 0
