"""Refusing URIs that hold credentials, which would end up in logs and results."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"://[^/@:]*:(?!\d+(/|$))[^@]*@")
_WEB_USER = re.compile(r"https?://[^/@]*@")
_SIGNATURE = re.compile(
    r"[?&](X-(Amz|Goog)-(Signature|Credential|Security-Token)|sig|signature|AWSAccessKeyId"
    r"|[a-z_]*token|password|secret|api_?key)=",
    re.IGNORECASE,
)


class CredentialsError(ValueError):
    """A URI that holds credentials."""


def refuse_credentials(uri: str) -> None:
    """Check that a URI can be logged and written into results.

    Raises:
        CredentialsError: the URI holds a password, the user name of a web server or a signature.
    """
    if any(pattern.search(uri) for pattern in (_PASSWORD, _WEB_USER, _SIGNATURE)):
        raise CredentialsError(
            "a URI contains credentials, which would appear in logs and results. Put them into the "
            "environment or into the configuration files of the storage service"
        )
