"""Values that name files: secrets, certificates, LDIF."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from exfront.config import forms
from exfront.config.forms import MOST_SECRET
from exfront.config.settings import Secret
from tests.config.pem import certificate, revocations
from tests.config.text import mistakes_in, settings_from

SECRET = "[directory]\nurl = ldap://a\nbind_dn = cn=x\nbind_password_file = directory.secret\n"


class FileCase(SynchronousTestCase):
    """A folder of its own for each test."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def put(self, name: str, content: bytes) -> Path:
        """Writes a file into the folder."""
        path = self.folder / name
        path.write_bytes(content)
        return path


class LogFileTests(FileCase):
    """`access_log`."""

    def test_refused(self) -> None:
        """C1: what can never become a file is told by `--check`, too, and not only by a start."""
        self.put("file", b"")
        (self.folder / "folder").mkdir()
        (self.folder / "nowhere").symlink_to("gone")
        for path, why in (
            ("folder", "it is a folder"),
            ("new/", "it is a folder"),
            ("file/access.log", "file is not a folder"),
            ("file/log/access.log", "file is not a folder"),
            ("nowhere/access.log", "nowhere is not a folder"),
        ):
            (mistake,) = mistakes_in(f"[directory]\nurl = ldap://a\n[front-end]\naccess_log = {path}\n", self.folder)
            self.assertEqual((mistake.line, mistake.key), (4, "access_log"))
            self.assertIn(f"'{path}' ({why})", mistake.text)

    def test_folder_to_be_made(self) -> None:
        """A file that is there, or one in folders that are not there yet, is as good."""
        self.put("file", b"")
        for path in ("file", "folder/of/folders/access.log"):
            found = settings_from(f"[directory]\nurl = ldap://a\n[front-end]\naccess_log = {path}\n", self.folder)
            self.assertEqual(found.front_end.access_log, self.folder / path)


class SecretFileTests(FileCase):
    """`bind_password_file`."""

    def test_read(self) -> None:
        """The password is the file's text without the one line end at its end; who may read the file does not matter."""
        for content, value in (
            (b"s3 cret", "s3 cret"),
            (b"x\n", "x"),
            (b"x\r\n", "x"),
            (b" x\n\n", " x\n"),
            ("ü".encode(), "ü"),
        ):
            self.put("directory.secret", content).chmod(0o644)
            directory = settings_from(SECRET, self.folder).directory
            assert directory is not None
            self.assertEqual(directory.bind_password, Secret(value))

    def test_refused(self) -> None:
        """C1: a file that holds no secret is told with the reason, which is never its content."""
        for content, why in (
            (b"", "it is empty"),
            (b"\n", "it is empty"),
            (b"hunter2\0", "it has a NUL"),
            (b"hunter2\xff", "it is not UTF-8"),
            (b"x" * (MOST_SECRET + 1), f"more than {MOST_SECRET} bytes"),
        ):
            self.put("directory.secret", content)
            (mistake,) = mistakes_in(SECRET, self.folder)
            self.assertEqual((mistake.line, mistake.key), (4, "bind_password_file"))
            self.assertIn(why, mistake.text)
            self.assertNotIn("hunter2", mistake.text)

    def test_missing(self) -> None:
        """C1: a file that is not there."""
        (mistake,) = mistakes_in(SECRET, self.folder)
        self.assertIn("there is no such file", mistake.text)

    def test_not_a_file(self) -> None:
        """C1: a named pipe is not waited for."""
        os.mkfifo(self.folder / "directory.secret")
        (mistake,) = mistakes_in(SECRET, self.folder)
        self.assertIn("there is no such file", mistake.text)

    def test_unreadable(self) -> None:
        """C1: a file that may not be read is told with the system's reason (root may read all: a device that does not answer)."""
        unreadable = Path("/proc/self/mem")
        text = SECRET.replace("directory.secret", str(unreadable))
        (mistake,) = mistakes_in(text, self.folder)
        self.assertIn("(Input/output error)", mistake.text)


class CertificateFileTests(FileCase):
    """`ca_file`."""

    TEXT = "[directory]\nurl = ldaps://a\nca_file = ca.pem\n"

    def test_certificates(self) -> None:
        """A file with a certificate is taken, its path made absolute."""
        self.put("ca.pem", b"# ours\n" + certificate())
        directory = settings_from(self.TEXT, self.folder).directory
        assert directory is not None
        self.assertEqual(directory.ca_file, self.folder / "ca.pem")

    def test_no_certificate(self) -> None:
        """C1: a file without certificate is told."""
        for content in (b"", revocations(), b"-----BEGIN CERTIFICATE-----\nhm\n-----END CERTIFICATE-----\n"):
            self.put("ca.pem", content)
            (mistake,) = mistakes_in(self.TEXT, self.folder)
            self.assertEqual((mistake.line, mistake.key), (3, "ca_file"))
            self.assertIn("it holds no certificate", mistake.text)

    def test_unreadable(self) -> None:
        """C1: a file that goes away while it is looked at is told like one that was never there."""
        self.patch(forms, "existing_file", lambda text, folder: folder / text)
        (mistake,) = mistakes_in(self.TEXT, self.folder)
        self.assertIn("No such file", mistake.text)


class LdifTests(FileCase):
    """`ldif:FILE`."""

    def test_relative(self) -> None:
        """The file is looked for beside the configuration."""
        self.put("demo.ldif", b"")
        directory = settings_from("[directory]\nurl = ldif:demo.ldif\n", self.folder).directory
        assert directory is not None
        self.assertEqual(directory.url[0].path, self.folder / "demo.ldif")

    def test_missing(self) -> None:
        """C1: a file that is not there is told."""
        (mistake,) = mistakes_in("[directory]\nurl = ldif:demo.ldif\n", self.folder)
        self.assertEqual(mistake.line, 2)
        self.assertIn("'ldif:demo.ldif' (there is no such file)", mistake.text)
