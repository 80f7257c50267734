"""Explain the errors of obstore: who failed, why, and what to do.

The first line of such an error names neither the cause of a failed connection nor what the store says. Both are in the
other lines: the cause in the notation of Rust, the words of the store in XML.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from .credentials import missing_credentials
from .environment import endpoints

__all__ = ["explained"]


_LINE_CHARACTERS: Final = 300
# "Generic S3 error: Error performing GET http://host/key in 12ms, after 3 retries, […]  - the rest". Errors of some
# kinds begin with other words.
_REQUEST: Final = re.compile(
    r"Error performing (?P<method>[A-Z]+) (?P<url>\S+) in \S+(?:, after [^\n]*?)?\s+- (?P<rest>.*)"
)
_STORE: Final = re.compile(r"Generic (S3|MicrosoftAzure|GCS) error")
_SCHEMES: Final = {"S3": "s3", "MicrosoftAzure": "az"}
_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>(?:\s*<Message>([^<]{1,200}))?")  # of S3, GCS and Azure
_REGION: Final = re.compile(r"<Region>([a-z0-9-]{1,50})</Region>")
# The causes of a request without a response, then what to do. `{variable}` names the store's URL.
_CONNECTION: Final = (
    (r"kind: ConnectionRefused", "no server listens there: start the store, or correct {variable}"),
    (r'"dns error"', "the host is unknown: correct {variable}"),
    (r"CaUsedAsEndEntity", "its certificate may only sign others: make one without CA:TRUE"),
    (r"UnknownIssuer", "its certificate is not trusted: set SSL_CERT_FILE to the file of its authority"),
    (r"NotValidForName", "its certificate is for another host: correct {variable}"),
    (r"\bExpired|NotValidYet", "its certificate is not valid now: renew it, or correct the clock"),
    (r"InvalidCertificate", "its certificate is not valid: renew it"),
    (r"InvalidContentType|tls handshake eof", "it does not speak TLS: begin {variable} with http://"),
    (
        r"ConnectionReset|IncompleteMessage",
        "it closed the connection: if it speaks TLS, use https:// in {variable}",
    ),
    (r"TimedOut", "it did not respond in time: check that it runs, or correct {variable}"),
    (r"kind: (?:Network|Host)Unreachable", "no network leads there: correct {variable}"),
    (r"error sending request\s*\Z", "it does not respond: start the store, or correct {variable}"),
)
# The codes of S3 and Azure or a text of obstore, then what to do.
_REFUSALS: Final = (
    (r"RequestTimeTooSkewed|RequestExpired", "correct the clock of this machine"),
    (r"InvalidAccessKeyId", "correct AWS_ACCESS_KEY_ID"),
    (r"SignatureDoesNotMatch", "correct AWS_SECRET_ACCESS_KEY"),
    (r"(?:Expired|Invalid)Token|TokenRefreshRequired", "set new credentials, with AWS_SESSION_TOKEN"),
    (r"AuthenticationFailed", "correct AZURE_STORAGE_ACCOUNT_KEY, or the clock of this machine"),
    (r"NoSuchBucket|ContainerNotFound", "create the bucket, or correct its name"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|without LOCATION", "set AWS_REGION to the bucket's region"),
)


def explained(text: str) -> str:
    """Return one line for the log: the request, the reason and, if it is known, what to do."""
    if missing := missing_credentials(text.partition("\n")[0]):
        return missing
    request = _REQUEST.search(text)
    unreachable = _unreachable(text, request["url"]) if request and "HTTP error" in request["rest"] else None
    return unreachable or _refused(text, _line(text, request))


def _unreachable(text: str, url: str) -> str | None:
    cause = text.rpartition("inner: ")[2]  # the URL is not in this part
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    meanings = (meaning for pattern, meaning in _CONNECTION if re.search(pattern, cause))
    return next((f"{place} cannot be used: {each.format(variable=_variable(text))}" for each in meanings), None)


def _variable(text: str) -> str:
    """Return the variable that sets the address of the store, for a message; other words if no variable is known."""
    store = _STORE.search(text)
    scheme = _SCHEMES.get(store[1], "") if store else ""
    return next((name for name, _ in endpoints(scheme)), "AWS_REGION" if scheme == "s3" else "the URL of the store")


def _line(text: str, request: re.Match[str] | None) -> str:
    """Return the first line without its XML, and without the times and the number of tries."""
    line = f"{request['method']} {request['url'].partition('?')[0]}: {request['rest']}" if request else text
    line = line.partition("\n")[0].partition("<?xml")[0].partition("<Error")[0]
    return line.rstrip(" :")[:_LINE_CHARACTERS]


def _refused(text: str, line: str) -> str:
    """Return the line with the code and the message of the store and, if it is known, with what to do."""
    code = _CODE.search(text)
    words = ": ".join((line, *filter(None, code.groups()))) if code else line
    meaning = next((meaning for pattern, meaning in _REFUSALS if re.search(pattern, words)), None)
    if region := _REGION.search(text):
        meaning = f"set AWS_REGION={region[1]}"
    return f"{words.rstrip('.')}: {meaning}" if meaning else words
