"""Certificates for the configuration's tests, good for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
FROM = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = FROM + timedelta(days=1)


def certificate() -> bytes:
    """A certificate in PEM, good for nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number(), FROM, UNTIL)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def revocations() -> bytes:
    """A list of revoked certificates in PEM: also from an authority, and no certificate."""
    builder = x509.CertificateRevocationListBuilder(NAME, FROM, UNTIL)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()).public_bytes(Encoding.PEM)


def authority(test: SynchronousTestCase) -> Path:
    """A folder of the test's own with a certificate in `ca.pem`."""
    folder = Path(test.mktemp()).absolute()
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_bytes(certificate())
    return folder
