"""`userPassword` values (RFC 2307 section 5.3 and OpenLDAP's newer hashes), compared in constant time. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

_HASHED = re.compile(rb"\{([A-Za-z0-9-]+)\}(.*)", re.DOTALL)
_ALGORITHMS = {
    b"SHA": "sha1",
    b"SSHA": "sha1",
    b"SHA256": "sha256",
    b"SSHA256": "sha256",
    b"SHA384": "sha384",
    b"SSHA384": "sha384",
    b"SHA512": "sha512",
    b"SSHA512": "sha512",
}


def accepts(kept: bytes, password: str) -> bool:
    """Whether `password` opens the entry that has `kept`. A hash of an unknown kind opens nothing."""
    raw = password.encode("utf-8", "surrogatepass")
    hashed = _HASHED.fullmatch(kept)
    if hashed is None:
        return hmac.compare_digest(kept, raw)
    scheme = hashed[1].upper()
    if scheme == b"CLEARTEXT":
        return hmac.compare_digest(hashed[2], raw)
    algorithm = _ALGORITHMS.get(scheme)
    return algorithm is not None and _digest_accepts(algorithm, hashed[2], raw, salted=scheme.startswith(b"SS"))


def _digest_accepts(algorithm: str, encoded: bytes, raw: bytes, *, salted: bool) -> bool:
    """The digest comes first and whatever follows it is the salt."""
    try:
        kept = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    size = hashlib.new(algorithm).digest_size
    digest, salt = kept[:size], kept[size:]
    if len(digest) != size or bool(salt) != salted:
        return False
    return hmac.compare_digest(digest, hashlib.new(algorithm, raw + salt).digest())
