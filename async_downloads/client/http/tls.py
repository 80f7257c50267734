"""Which certificates a client trusts, and its own certificate."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import httpx

from .network import NetworkOptions

__all__ = ["tls_context"]


def tls_context(options: NetworkOptions) -> ssl.SSLContext:
    """Return the context for https. Raises httpx.ConnectError if a file of certificates or keys cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # `ssl.create_default_context` of Python 3.13 also sets VERIFY_X509_STRICT, which refuses the certificates of many
    # companies for a missing key usage. curl, browsers and older releases of Python accept those.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if log := os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = log
    if options.verify:
        _trust(context, options.ca_file)
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if options.cert_file:
        with _named(options.key_file or options.cert_file, "the certificate of this client"):
            context.load_cert_chain(options.cert_file, options.key_file, password=_no_password)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path | None) -> None:
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if ca_file is not None:
        file, directory = str(ca_file), None
    elif not file and not directory:
        context.load_default_certs()  # those of the system: an administrator may have added some
        file = certifi.where()
    with _named(file or directory, "the trusted certificates"):
        context.load_verify_locations(file or None, directory or None)


@contextmanager
def _named(path: object, role: str) -> Iterator[None]:
    """Name the file that cannot be read, because the error of `ssl` does not."""
    try:
        yield
    except OSError as error:
        raise httpx.ConnectError(f"{role} cannot be read, {path}: {error.strerror or error}") from ssl.SSLError(
            str(error)
        )


def _no_password() -> str:
    """Return no password for an encrypted key. Otherwise OpenSSL would ask on the terminal and block all downloads."""
    return ""
