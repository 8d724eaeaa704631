"""The web service of examples/server.py, in processes that were forked after it was used."""

import http.client
import importlib.util
import io
import json
import os
import socket
import subprocess
import sys
import time
import unittest

from common import PACKAGE, Case, imgret, picture

EXAMPLES = os.path.join(PACKAGE, "examples")


def service(path):
    spec = importlib.util.spec_from_file_location("server", os.path.join(EXAMPLES, "server.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Application(path)


def ask(app, body, query="", method="POST"):
    """One request, as a WSGI server makes it: the status and the answer."""
    told = []
    environ = {
        "REQUEST_METHOD": method,
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body),
    }
    answer = b"".join(app(environ, lambda status, headers: told.append((status, dict(headers)))))
    status, headers = told[0]
    assert headers["Content-Length"] == str(len(answer))
    return int(status[:3]), json.loads(answer)


class ServerTest(Case):
    def database(self):
        path = self.place("photos.imgret")
        with imgret.open(path) as db:
            for number in range(6):
                db.add(picture(number), uri=f"{number}.png")
        return path

    def test_requests(self):
        app = service(self.database())
        status, found = ask(app, picture(3), "k=2")
        self.assertEqual((status, len(found), found[0]["uri"]), (200, 2, "3.png"))
        self.assertAlmostEqual(found[0]["score"], 1, 3)
        for wanted, body, query, method in (
            (405, b"", "", "GET"),
            (400, b"", "", "POST"),
            (400, b"no picture", "", "POST"),
            (400, picture(1)[:-40], "", "POST"),
            (400, picture(1), "k=many", "POST"),
            (400, picture(1), "k=0", "POST"),
            (413, bytes((20 << 20) + 1), "", "POST"),
        ):
            status, answer = ask(app, body, query, method)
            self.assertEqual(status, wanted, answer)
            self.assertTrue(answer["error"])

    def test_workers_that_were_forked(self):
        """Used in the parent, then in children: each opens its own database, none fails."""
        app = service(self.database())
        self.assertEqual(ask(app, picture(1))[0], 200)
        for number in range(3):
            child = os.fork()
            if not child:
                good = False
                try:
                    status, found = ask(app, picture(number), "k=1")
                    good = status == 200 and found[0]["uri"] == f"{number}.png"
                finally:
                    os._exit(0 if good else 3)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(ask(app, picture(2))[1][0]["uri"], "2.png")

    def test_gunicorn(self):
        if importlib.util.find_spec("gunicorn") is None:
            self.skipTest("this Python has no gunicorn")
        path = self.database()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--threads", "2",
                "--chdir", EXAMPLES, "--bind", f"127.0.0.1:{port}", f"server:Application({path!r})",
            ],
            env=dict(os.environ, PYTHONPATH=PACKAGE),
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait, 60)
        self.addCleanup(server.terminate)
        deadline = time.monotonic() + 60
        for number in list(range(6)) * 3:
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                try:
                    connection.request("POST", "/?k=1", picture(number))
                    break
                except ConnectionRefusedError:
                    if time.monotonic() > deadline or server.poll() is not None:
                        raise
                    time.sleep(0.05)
            with connection.getresponse() as response:
                self.assertEqual(response.status, 200)
                self.assertEqual(json.load(response)[0]["uri"], f"{number}.png")
            connection.close()


if __name__ == "__main__":
    unittest.main()
