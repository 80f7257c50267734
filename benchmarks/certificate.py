"""A certificate for this machine, signed by itself: the same kind of key for every server."""

import subprocess

from benchmarks.servers.base import HOST, Site
from benchmarks.settings import BenchmarkError

__all__ = ["certify"]

# The key is in PKCS #8, which is all that Granian reads.
REQUEST = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2")
NAMES = ("-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}")


def certify(site: Site) -> None:
    """Write the site's certificate and key."""
    files = ("-out", str(site.certificate), "-keyout", str(site.key))
    try:
        subprocess.run([*REQUEST, *NAMES, *files], check=True, capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        raise BenchmarkError("openssl, which makes the certificate, is not installed") from None
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"no certificate: {error.stderr.strip()}") from error
