"""An S3 service on loopback with very many objects in it, which it lists as fast as a real one.

Moto looks at every object of a bucket for each request that lists some.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from time import sleep
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

PAGE = 1000
CHANGED = "2026-01-01T00:00:00.000Z"


class ManyObjects:
    """A WSGI application that lists given objects besides those of another application.

    Args:
        application: of S3, which answers all requests but those that list images.
        bucket: whose objects these are.
        sizes: by key. They can be listed, and nothing else.
        folders: how the keys begin whose lists come from here.
        latency: seconds that each answer is held back, as over a network.
    """

    def __init__(
        self,
        application: Any,
        bucket: str,
        sizes: Mapping[str, int],
        folders: Sequence[str],
        latency: float,
    ) -> None:
        self._application = application
        self._bucket = bucket
        self._keys = sorted(sizes)
        self._sizes = sizes
        self._folders = tuple(folders)
        self._latency = latency
        self.lists = 0

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        sleep(self._latency)
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        prefix = query.get("prefix", "")
        if "list-type" not in query or not prefix.startswith(self._folders):
            answer: Iterable[bytes] = self._application(environ, start_response)
            return answer
        self.lists += 1
        start_response("200 OK", [("Content-Type", "application/xml")])
        token = query.get("continuation-token", "")
        return [self._list(prefix, query.get("delimiter", ""), token).encode()]

    def _list(self, prefix: str, delimiter: str, token: str) -> str:
        contents: list[str] = []
        folders: list[str] = []
        index = bisect_left(self._keys, max(token, prefix))
        while index < len(self._keys) and self._keys[index].startswith(prefix):
            if len(contents) + len(folders) == PAGE:
                break
            key = self._keys[index]
            name, is_folder, _ = key[len(prefix) :].partition(delimiter or "\0")
            if is_folder:
                folder = f"{prefix}{name}{delimiter}"
                folders.append(f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>")
                # "0" comes right after "/".
                index = bisect_left(self._keys, f"{folder[:-1]}{chr(ord(delimiter) + 1)}")
                continue
            contents.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{CHANGED}</LastModified>"
                f'<ETag>"0"</ETag><Size>{self._sizes[key]}</Size>'
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
            index += 1
        more = index < len(self._keys) and self._keys[index].startswith(prefix)
        following = (
            f"<NextContinuationToken>{escape(self._keys[index])}</NextContinuationToken>"
            if more
            else ""
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self._bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(contents) + len(folders)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{following}"
            f"{''.join(contents)}{''.join(folders)}</ListBucketResult>"
        )
