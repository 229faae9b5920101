"""Why this exists: a log-in to Pulp 2 gives a certificate for the requests that follow: 7 days, 1024 bits of RSA, SHA-1, from Pulp's own CA.
httpd has checked it by the time that the API sees it."""

import secrets
import subprocess
import tempfile

PKI = "/etc/pki/pulp"


def issue(login):
    """A certificate and its key, as PEM."""
    with tempfile.TemporaryDirectory() as folder:
        key, request = f"{folder}/key", f"{folder}/request"
        name = f"/CN=admin:{login}:{secrets.token_hex(12)}"
        _openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", request, "-subj", name)
        certificate = _openssl(
            "x509", "-req", "-in", request, "-CA", f"{PKI}/ca.crt", "-CAkey", f"{PKI}/ca.key", "-sha1", "-days", "7",
            "-set_serial", str(secrets.randbits(63)),
        )  # fmt: skip
        with open(key, encoding="ascii") as file:
            return certificate, file.read()


def named(environ):
    """Whose certificate a request came with; None where it came with none, or with another's."""
    if environ.get("SSL_CLIENT_VERIFY") != "SUCCESS":
        return None
    kind, _, rest = environ.get("SSL_CLIENT_S_DN_CN", "").partition(":")
    return rest.partition(":")[0] if kind == "admin" else None


def _openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, timeout=20).stdout
