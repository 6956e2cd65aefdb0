"""The daemon behind nginx's auth_request: `python -m bench.auth_daemon PORT USERS`.

It knows the users by heart instead of asking the directory; as nginx caches its answers, it is asked once for each of them.
"""

from __future__ import annotations

import asyncio
import sys

from bench import people

_REFUSED = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="adatum"\r\nContent-Length: 0\r\n\r\n'


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, homes: dict[bytes, str]) -> None:
    """Serve one connection: 200 with the home server of whoever has sent good credentials, 401 for the rest."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            home = next(
                (
                    homes.get(line[21:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"authorization: basic ")
                ),
                None,
            )
            writer.write(
                f"HTTP/1.1 200 OK\r\nX-Home: {home}\r\nContent-Length: 0\r\n\r\n".encode() if home else _REFUSED
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port: int, count: int) -> None:
    homes = {people.token(number).encode(): people.home(number) for number in range(count)}
    server = await asyncio.start_server(lambda reader, writer: answer(reader, writer, homes), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
