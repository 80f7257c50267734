"""Recognize the errors of obstore for missing credentials, and name the variables that hold them."""

import re
from typing import Final

__all__ = ["missing_credentials"]


_STORE: Final = re.compile(r"Generic (S3|GCS|MicrosoftAzure) error")
_VARIABLES: Final = {
    "S3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "GCS": "GOOGLE_APPLICATION_CREDENTIALS, to the path of a key file",
    "MicrosoftAzure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_INCOMPLETE: Final = re.compile(r"Account must be specified|Missing (?:AccessKeyId|SecretAccessKey)")
# The addresses where machines in a cloud ask for their own credentials.
_OWN_CREDENTIALS: Final = re.compile(r"//(?:169\.254\.(?:169\.254|170\.23?)|metadata\.google\.internal)[/:]")


def missing_credentials(line: str) -> str | None:
    """Return the line that says which variables to set; None if an error of obstore has another cause."""
    store = _STORE.search(line)
    if not store:
        return None
    if _INCOMPLETE.search(line):
        return f"no complete credentials: set {_VARIABLES[store[1]]}"
    if _OWN_CREDENTIALS.search(line):
        return f"no credentials: set {_VARIABLES[store[1]]} (the cloud gives this machine no credentials of its own)"
    return None
