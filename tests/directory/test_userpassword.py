"""Kept passwords and their hashes."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from exfront.directory.userpassword import accepts


class Accepting(SynchronousTestCase):
    def test_plain(self) -> None:
        """As it stands, with regard to case; {CLEARTEXT} too."""
        self.assertTrue(accepts("gehéim".encode(), "gehéim"))
        self.assertTrue(accepts(b"{CLEARTEXT}secret", "secret"))
        self.assertFalse(accepts(b"secret", "Secret"))
        self.assertFalse(accepts(b"secret", "secret "))

    def test_hashes(self) -> None:
        """With and without salt, in all lengths."""
        for scheme, algorithm in (("SHA", "sha1"), ("SHA256", "sha256"), ("SHA512", "sha512")):
            plain = base64.b64encode(hashlib.new(algorithm, b"secret").digest()).decode()
            salted = base64.b64encode(hashlib.new(algorithm, b"secretsalt").digest() + b"salt").decode()
            for kept in (f"{{{scheme}}}{plain}", f"{{S{scheme}}}{salted}", f"{{s{scheme.lower()}}}{salted}"):
                self.assertTrue(accepts(kept.encode(), "secret"), kept)
                self.assertFalse(accepts(kept.encode(), "other"), kept)

    def test_what_is_no_hash_opens_nothing(self) -> None:
        """Unknown schemes, broken base64, digests cut short, a salt where none belongs: the text itself does not open either."""
        digest = hashlib.sha1(b"secretx").digest()
        for kept in (
            b"{CRYPT}secret",
            b"{SHA}%%%",
            b"{SSHA}",
            b"{SHA}" + base64.b64encode(digest[:10]),
            b"{SHA}" + base64.b64encode(digest + b"x"),
            b"{SSHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()),
        ):
            self.assertFalse(accepts(kept, "secret"), kept.decode())
            self.assertFalse(accepts(kept, kept.decode()), kept.decode())

    def test_slappasswd_agrees(self) -> None:
        """OpenLDAP's own tool makes values that open."""
        tool = shutil.which("slappasswd") or shutil.which("slappasswd", path="/usr/sbin")
        if tool is None:
            raise SkipTest("slapd is not installed")
        for scheme in ("{SSHA}", "{SHA}", "{CLEARTEXT}"):
            made = subprocess.run([tool, "-h", scheme, "-s", "päss:1"], capture_output=True, check=True).stdout.strip()
            self.assertTrue(accepts(made, "päss:1"), scheme)
