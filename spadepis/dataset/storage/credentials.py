"""Refusing URIs that hold credentials, and hiding the queries of all others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

_PASSWORD = re.compile(r"://[^/@:]*:(?!\d+(/|$))[^@]*@")
_WEB_USER = re.compile(r"https?://[^/@]*@")
_SECRET = re.compile(r"key|secret|sig|token|auth|jwt|password|connection|credential", re.IGNORECASE)
# A query ends where the URI or its fragment does. In an object store "?" is a part of a name.
_QUERY = re.compile(r"(https?://[^\s?#]*)\?[^\s#'\"]*")


class CredentialsError(ValueError):
    """A URI that holds credentials."""


def refuse_credentials(uri: str) -> None:
    """Check that a URI can be logged and written into results.

    Raises:
        CredentialsError: the URI holds a password, the user name of a web server, or a value in
            its query or fragment whose name is that of a secret.
    """
    named = any(_SECRET.search(name) for name in _names_of_values(uri))
    if named or _PASSWORD.search(uri) or _WEB_USER.search(uri):
        raise CredentialsError(
            "a URI contains credentials, which would appear in logs and results. Put them into the "
            "environment or into the configuration files of the storage service"
        )


def without_queries(text: str) -> str:
    """A text in which the web addresses have no queries, for these may hold secrets, too."""
    return _QUERY.sub(r"\1", text)


def _names_of_values(uri: str) -> Iterator[str]:
    """The names of ``name=value`` in the query and in the fragment of a URI."""
    for part in re.split("[?#&;]", uri)[1:]:
        name, is_named, _ = part.partition("=")
        if is_named:
            # However often it was encoded.
            while (decoded := unquote(name)) != name:
                name = decoded
            yield name
