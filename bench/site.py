"""What stands around the proxies: back-ends, the directory, the users; and how a template becomes a configuration file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench import people, programs
from bench.load import TEMPLATES
from bench.processes import Failed, Running, Workshop, free_port

ROOT = Path(__file__).resolve().parent.parent


def fill(template: str, to: Path, values: dict[str, object]) -> Path:
    """Write `template` with every @NAME@ replaced; a name without a value is an error."""
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    if (left := text.find("@")) >= 0:
        raise Failed(f"{template}: no value for {text[left : left + 20]!r}")
    to.write_text(text)
    return to


class Site:
    """The back-ends and, when asked for, the directory and a certificate. Everything lives in the workshop."""

    def __init__(self, workshop: Workshop, users: int) -> None:
        self.workshop = workshop
        self.users = users
        self.credentials = people.write_tokens(workshop.folder / "credentials", range(users))
        self.back_end_port = free_port(people.HOMES)
        self.directory_port = 0

    def start_back_ends(self) -> Running:
        """One nginx at the four addresses: 1 kB below /exchange/ and at /1k.html, 64 kB at /64k.html."""
        room = self.workshop.room("back-end")
        (room / "www").mkdir()
        (room / "www" / "1k.html").write_bytes(b"x" * 1024)
        (room / "www" / "64k.html").write_bytes(b"x" * 65536)
        return self.start_nginx("back-end", "back-end.conf", room, self.back_end_port, people.HOMES, {})

    def certificate(self) -> Path:
        """A PEM file with a certificate of its own signature for localhost, and the key; alone in its folder."""
        file = self.workshop.folder / "tls" / "localhost.pem"
        if not file.exists():
            file.parent.mkdir()
            key, chain = self.workshop.folder / "key.pem", self.workshop.folder / "chain.pem"
            command = [programs.find("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
            command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            made = subprocess.run(
                [*command, "-keyout", key, "-out", chain], capture_output=True, text=True, check=False
            )
            if made.returncode:
                raise Failed(f"openssl: {made.stderr}")
            file.write_text(chain.read_text() + key.read_text())
        return file

    def start_nginx(
        self, name: str, template: str, room: Path, port: int, addresses: tuple[str, ...], values: dict[str, object]
    ) -> Running:
        user = "user www-data;" if os.geteuid() == 0 else ""
        filled = fill(template, room / "nginx.conf", {"ROOM": room, "PORT": port, "USER": user, **values})
        command = [programs.find("nginx"), "-p", str(room), "-c", str(filled), "-e", str(room / "error.log")]
        return self.workshop.start(name, command, [(address, port) for address in addresses])

    def start_directory(self) -> Running:
        """A slapd that holds the users, at `directory_port`."""
        room = self.workshop.room("slapd")
        (room / "db").mkdir()
        configuration = fill("slapd.conf", room / "slapd.conf", {"ROOM": room})
        ldif = people.write_ldif(room / "people.ldif", self.users)
        added = subprocess.run(
            [programs.find("slapadd"), "-q", "-f", str(configuration), "-l", str(ldif)],
            capture_output=True,
            check=False,
            text=True,
        )
        if added.returncode:
            raise Failed(f"slapadd: {added.stderr}")
        self.directory_port = free_port()
        # -d 0 keeps slapd in the foreground and silent
        command = [
            programs.find("slapd"),
            "-d",
            "0",
            "-f",
            str(configuration),
            "-h",
            f"ldap://127.0.0.1:{self.directory_port}/",
        ]
        return self.workshop.start("slapd", command, [("127.0.0.1", self.directory_port)])
