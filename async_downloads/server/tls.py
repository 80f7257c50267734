"""The certificate of the server, and messages that explain why a certificate cannot be used."""

import shlex
import ssl
from contextlib import suppress
from pathlib import Path

from ..config import ServerSettings

__all__ = ["BadCertificate", "tls_context"]


class BadCertificate(Exception):
    """TLS cannot be used; the message says why in one line."""


def tls_context(server: ServerSettings) -> ssl.SSLContext | None:
    """Return the TLS settings of the server; None if it has no certificate. Raises BadCertificate."""
    if not server.certfile and not server.keyfile:
        if server.http2:
            raise BadCertificate("HTTP/2 needs TLS: give --certfile and --keyfile")
        return None
    if not server.certfile or not server.keyfile:
        raise BadCertificate("TLS needs a certificate and its key: give both --certfile and --keyfile")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"] if server.http2 else ["http/1.1"])
    try:
        context.load_cert_chain(server.certfile, server.keyfile)
    except OSError as error:
        reason = _describe(server.certfile, server.keyfile, error)
        raise BadCertificate(f"cannot use {server.certfile} and {server.keyfile} for TLS: {reason}") from error
    return context


def _describe(certfile: Path, keyfile: Path, error: OSError) -> str:
    """Describe the fault of the files in plain words. The messages of OpenSSL are for developers."""
    if b"ENCRYPTED" in _content_of(keyfile):
        command = f"openssl pkey -in {shlex.quote(str(keyfile))} -out NEW.pem"
        return f"the key needs a passphrase: '{command}' makes a key without one"
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    for flag, path, kind in (("--certfile", certfile, "certificate"), ("--keyfile", keyfile, "private key")):
        if f"{kind.upper()}-----".encode() not in _content_of(path):
            return f"{flag} needs a {kind} in PEM, but {path} contains none"
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    return "one of the files is damaged"


def _content_of(path: Path) -> bytes:
    """Return the content of a file; b"" if it cannot be read."""
    with suppress(OSError):
        return path.read_bytes()
    return b""
