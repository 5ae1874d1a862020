"""An S3 service on loopback that can be told to fail at random."""

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from time import sleep
from typing import Any
from uuid import uuid4

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from spadepis.dataset.storage.filesystems import filesystem, s3_environment, storage_environment

SLOW_SECONDS = 0.05


@dataclass
class Service:
    """A WSGI application of S3 that fails at random.

    Attributes:
        rate: part of the requests that fail: with status 500 or 503, late, or cut off.
        requests: how many there were.
        failed: how many of them failed.
        endpoint: URL of the server.
    """

    application: Any
    rate: float = 0.0
    requests: int = 0
    failed: int = 0
    endpoint: str = ""
    random: Random = field(default_factory=Random)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail_from_now_on(self, rate: float) -> None:
        # With this seed all kinds of faults come soon.
        self.random = Random(9)
        self.rate, self.failed = rate, 0

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        with self.lock:
            self.requests += 1
            fault = None
            if self.random.random() < self.rate:
                self.failed += 1
                fault = self.random.choice(["500", "503", "slow", "cut"])
        if fault in ("500", "503"):
            start_response(f"{fault} Trouble", [("Content-Type", "text/plain")])
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"trouble"]
        body, status, headers = run_wsgi_app(self.application, environ, buffered=True)
        content = b"".join(body)
        if fault == "slow":
            sleep(SLOW_SECONDS)
        if fault == "cut":
            content = content[: len(content) // 2]
            if not content:
                # Done, but the client is not told.
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionError
        start_response(status, list(headers))
        return [content]


@contextmanager
def serve() -> Iterator[Service]:
    """A running service of this process, with nothing in it."""
    service = Service(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, service, threaded=True)
    service.endpoint = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def public_bucket(service: Service) -> Iterator[str]:
    """URI of a new bucket that anyone may use; until the end this process uses the service."""
    with storage_environment(s3_environment(service.endpoint, anonymous=True)):
        fs, path = filesystem(f"s3://bucket-{uuid4().hex}")
        fs.mkdir(path)
        everything = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
        fs.call_s3("put_bucket_policy", Bucket=path, Policy=json.dumps({"Statement": everything}))
        try:
            yield f"s3://{path}"
        finally:
            service.rate = 0.0
