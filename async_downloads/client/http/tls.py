"""The certificates that a client trusts, and its own certificate."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from typing import Final

import certifi
import httpx

from .network import NetworkOptions

__all__ = ["tls_context"]


def tls_context(options: NetworkOptions) -> ssl.SSLContext:
    """Return the TLS context for https. Raises httpx.ConnectError if a certificate or key file cannot be read."""
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
        _trust_system(context)
        file = certifi.where()
    with _named(file or directory, "the trusted certificates"):
        context.load_verify_locations(file or None, directory or None)


# The certificates of Linux distributions and BSD, by how common they are.
_SYSTEM_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _trust_system(context: ssl.SSLContext) -> None:
    """Trust the certificates of the system. An administrator may have added some.

    A Python that was built on another system looks for them where that system has them, and finds none.
    """
    context.load_default_certs()
    places = ssl.get_default_verify_paths()
    if not places.cafile and not glob(f"{places.capath or os.devnull}/*.0"):
        file = next(filter(os.path.isfile, _SYSTEM_FILES), None)
        if file is not None:
            with suppress(OSError):  # the certificates of certifi are trusted too
                context.load_verify_locations(file)


@contextmanager
def _named(path: object, role: str) -> Iterator[None]:
    """Add the name of the file to an error of `ssl`, which does not have it."""
    try:
        yield
    except OSError as error:
        raise httpx.ConnectError(f"{role} cannot be read, {path}: {error.strerror or error}") from ssl.SSLError(
            str(error)
        )


def _no_password() -> str:
    """Return no password for an encrypted key, because OpenSSL would ask on the terminal and block all downloads."""
    return ""
