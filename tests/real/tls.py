"""TLS around a server that speaks plain HTTP: a certificate of our own, and nginx as somebody else's TLS proxy in front.

The proxy does what such proxies do: terminates TLS, keeps `Host`, says `X-Forwarded-Proto: https`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.certificates import Authority
from tests.real.children import Child, free_port, program

if TYPE_CHECKING:
    from typing import Self

_CONFIGURATION = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        location / {{
            proxy_pass http://127.0.0.1:{target};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


def missing() -> str | None:
    """Why there can be no TLS proxy here; None where there can."""
    return None if program("nginx") else "nginx is not installed (Debian package nginx)"


def write_certificate(file: Path, *names: str) -> None:
    """A new certificate for `names` and its key, in one PEM file; nobody trusts its authority."""
    with tempfile.TemporaryDirectory(prefix="exfront-authority-") as folder:
        certificate, key = Authority(Path(folder)).issue(names or ("localhost", "127.0.0.1"))
        file.write_bytes(certificate.read_bytes() + key.read_bytes())


class TlsProxy:
    """https on a port of its own, forwarded as http to 127.0.0.1:`target`."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self._keep = tempfile.TemporaryDirectory(prefix="exfront-tls-", ignore_cleanup_errors=True)
        folder = Path(self._keep.name)
        self.certificate = folder / "server.pem"
        write_certificate(self.certificate)
        text = _CONFIGURATION.format(folder=folder, port=self.port, target=target)
        (folder / "nginx.conf").write_text(text)
        nginx = program("nginx") or "nginx"
        self.child = Child(
            [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, self.port
        )

    def start(self) -> Self:
        self.child.start()
        return self

    def stop(self) -> None:
        try:
            self.child.stop()
        finally:
            self._keep.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
