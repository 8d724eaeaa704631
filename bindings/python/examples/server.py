"""A web service that finds what looks like a picture, for any WSGI server:

    gunicorn --chdir bindings/python/examples --workers 4 "server:Application('photos.imgret')"
    curl --data-binary @cat.jpg "http://localhost:8000/?k=5"

It answers a POST of a picture with a JSON list of {"id", "score", "uri"}, best first. A database belongs
to the process that opened it, so each worker opens its own when its first request comes: that works
with --preload and without, and with threads. Pictures come from strangers and are decoded apart.
"""

from __future__ import annotations

import json
import os
import threading
import urllib.parse
from typing import Any, Callable, Dict, Iterable, List, Tuple

import imgret

PICTURE_BYTES_MAX = 20 << 20
RESULTS_MAX = 100
STATUS = {
    200: "200 OK",
    400: "400 Bad Request",
    405: "405 Method Not Allowed",
    413: "413 Content Too Large",
}


class Refused(Exception):
    """A request that is not served: its status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Application:
    """The service over one database, which must exist."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._forget()
        # A child has neither the parent's database nor the threads that might hold its lock.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._opened: List[imgret.Database] = []

    def database(self) -> imgret.Database:
        """This process's own."""
        with self._lock:
            if not self._opened:
                db = imgret.open(self._path, read_only=True, decode_isolation="auto")
                self._opened.append(db)
            return self._opened[0]

    def search(self, picture: bytes, k: int) -> List[Dict[str, Any]]:
        """What looks like the picture."""
        try:
            hits = self.database().query(picture, k=k)
        except (imgret.BadImageError, imgret.LimitError) as failure:
            raise Refused(400, str(failure)) from failure
        return [{"id": hit.id, "score": hit.score, "uri": hit.uri} for hit in hits]

    def __call__(
        self, environ: Dict[str, Any], start_response: Callable[[str, List[Tuple[str, str]]], object]
    ) -> Iterable[bytes]:
        answer: Any
        status = 200
        try:
            answer = self.search(*read_request(environ))
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(STATUS[status], headers)
        return [body]


def read_request(environ: Dict[str, Any]) -> Tuple[bytes, int]:
    """The picture of a request and how many results it wants."""
    if environ["REQUEST_METHOD"] != "POST":
        raise Refused(405, "POST a picture")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
        k = int(query.get("k", ["10"])[-1])
    except ValueError as failure:
        raise Refused(400, str(failure)) from failure
    if not 0 < length <= PICTURE_BYTES_MAX:
        raise Refused(413 if length > 0 else 400, f"a picture has 1 to {PICTURE_BYTES_MAX} bytes")
    if not 0 < k <= RESULTS_MAX:
        raise Refused(400, f"k is 1 to {RESULTS_MAX}")
    return environ["wsgi.input"].read(length), k
