"""A back-end that answers 200 to everything, writes down what it was sent, byte for byte, and understands framing and nothing else."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived, or as much of it as did."""

    head: bytes
    """Up to and with the empty line."""
    body: bytes
    """Without chunked framing."""
    complete: bool

    @property
    def method(self) -> bytes:
        return self.head.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0].split(b" ")[1]

    def values(self, name: bytes) -> list[bytes]:
        """The values of all header lines called `name`, in any case."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return [value.strip() for key, _, value in lines if key.lower() == name.lower()]


class Recorder:
    """Listens on 127.0.0.1:`port` in a thread; one request a connection. `requests` grows in the order of arrival."""

    def __init__(self, patience: float = 10) -> None:
        """`patience`: seconds without a byte after which a connection is given up."""
        self.requests: list[Recorded] = []
        self._patience = patience
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        self._spawn(self._accept)
        return self

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(self._patience + 1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(self._patience)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            data, recorded = b"", None
            while recorded is None or not recorded.complete:
                try:
                    more = connection.recv(65536)
                except OSError:
                    break
                if not more:
                    break
                data += more
                recorded = read_request(data)
            if recorded is not None:
                self.requests.append(recorded)
            if recorded is not None and recorded.complete:
                connection.sendall(_ANSWER)


def read_request(data: bytes) -> Recorded | None:
    """The request at the beginning of `data`; None as long as its head is not whole."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    request = Recorded(head + blank, b"", False)
    if request.values(b"transfer-encoding"):
        body, complete = _chunked(rest)
    else:
        length = int((request.values(b"content-length") or [b"0"])[0])
        body, complete = rest[:length], len(rest) >= length
    return Recorded(request.head, body, complete)


def _chunked(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return body, False
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            return body, data.startswith(b"\r\n") or b"\r\n\r\n" in data
        if len(data) < size + 2:
            return body + data[:size], False
        body, data = body + data[:size], data[size + 2 :]
