# SPDX-License-Identifier: Apache-2.0
"""Certificates for a test, made by the `openssl` command with a root of their own."""

import pathlib
import subprocess


class Authority:
    """A root in `folder`; `certificate` is its file. Each leaf is NAME.pem with NAME.key."""

    def __init__(self, folder: pathlib.Path, name: str = "ca"):
        self.folder = pathlib.Path(folder)
        self.certificate = self.folder / f"{name}.pem"
        self._key = self.folder / f"{name}.key"
        self._openssl("req", "-x509", *NEW_KEY, "-keyout", str(self._key), "-out",
                      str(self.certificate), "-days", "30", "-subj", f"/CN=octet test {name}",
                      "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name: str, alternative_names: str = "", subject: str = "", days: int = 10):
        """(certificate, key): files. Negative `days`: it has expired."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl("req", *NEW_KEY, "-keyout", str(key), "-out", str(request), "-subj",
                      subject or f"/CN={name}")
        extensions.write_text(
            f"subjectAltName={alternative_names}\n" if alternative_names else "")
        self._openssl("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey",
                      str(self._key), "-CAcreateserial", "-days", str(days), "-out",
                      str(certificate), "-extfile", str(extensions))
        key.chmod(0o600)
        return certificate, key

    @staticmethod
    def _openssl(*arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
SERVER_NAMES = "DNS:localhost,IP:127.0.0.1"
