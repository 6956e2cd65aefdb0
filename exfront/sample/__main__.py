"""`python -m exfront.sample backend1=127.0.0.1:8081 …`: sample back-ends, all in one process, until it is stopped."""

from __future__ import annotations

import argparse
import sys

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.web.server import Site

from exfront.sample.pages import Mailboxes


def main(arguments: list[str]) -> int:
    """Serve until a signal; 1 where a port cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m exfront.sample", description="Sample back-ends that show what reached them."
    )
    parser.add_argument("back_ends", nargs="+", metavar="NAME=HOST:PORT", help="for example backend1=127.0.0.1:8081")
    for back_end in parser.parse_args(arguments).back_ends:
        name, _, place = back_end.partition("=")
        host, _, port = place.rpartition(":")
        if not (name and host and port.isdecimal()):
            parser.error(f"{back_end}: expected NAME=HOST:PORT")
        try:
            reactor.listenTCP(int(port), Site(Mailboxes(name)), interface=host.strip("[]"))  # type: ignore[arg-type]
        except CannotListenError as error:
            print(f"{back_end}: {error.socketError}", file=sys.stderr)
            return 1
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
