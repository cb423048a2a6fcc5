"""Is a run's page shown while the run goes on, to whom it should be, and at no cost to the run? python check_serve.py BUILD_DIR

A search with --serve is asked as a browser asks, and as nobody should: other tokens, hosts, methods and paths, connections that say
nothing. Its results are, bit for bit, those of a search without. Where a Chromium is installed, the page keeps what a reader has opened,
hovers over and has scrolled to while it is drawn anew.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from browser import PROGRAM, Browser
from check_report import SMALL, SPNAS, make_images, rows_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEARCH = ["--target", "80", "--reproducible", "--threads", "1", *SMALL, "--set", "search.proxy_width=0.25", "--set", "search.space=demo",
          "--set", "search.force=1"]
SHORT = ["--set", "search.epochs=6", "--set", "search.warmup_epochs=2"]
LONG = ["--set", "search.epochs=3000", "--set", "search.warmup_epochs=2000"]
os.environ["OMP_WAIT_POLICY"] = "passive"


class Served:
    """A command with --serve, and the address that it prints."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([SPNAS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.match(r"live view   http://127\.0\.0\.1:(\d+)/([0-9a-f]{32})$", line)
        assert found, f"no address: {line}{self.process.stderr.read()}"
        self.port, self.token = int(found[1]), found[2]
        self.address = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, path="", method="GET", headers=None, body=None, whole=False):
        """Code, headers and body; path: behind the token, or whole."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path if whole else f"/{self.token}{path}", body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def send(self, raw):
        """The answer to raw bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            with contextlib.suppress(OSError):  # it may hang up as soon as it has seen enough
                s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := s.recv(1 << 16):
                    answer += part
            return answer

    def wait_for_data(self):
        for _ in range(600):
            code, headers, body = self.ask("/data")
            if code == 200:
                data = json.loads(body)
                if data["steps"]["rows"]:
                    return data, headers
            else:
                assert code == 503 and b"not begun" in body, (code, body)
            time.sleep(0.1)
        raise AssertionError("no data within a minute")

    def end(self, by=None):
        if by:
            self.process.send_signal(by)
        start = time.monotonic()
        out, said = self.process.communicate(timeout=300)
        return self.process.returncode, out, said, time.monotonic() - start


def check_answers(served, folder):
    data, headers = served.wait_for_data()
    assert headers["Spnas-Run"] == "running" and headers["Content-Type"] == "application/json"
    known = {row["step"]: row for row in rows_of(folder / "metrics.jsonl", lambda r: "epoch_end" not in r)}
    assert all(known[row["step"]]["ce"] == row["ce"] for row in data["steps"]["rows"]) and not data["notes"], data["notes"]
    for path in ("", "/"):
        code, headers, page = served.ask(path)
        assert code == 200 and headers["Content-Type"].startswith("text/html") and b"fetch(" in page and b"</html>" in page
        assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "Access-Control-Allow-Origin" not in headers
    code, headers, body = served.ask("", "HEAD")
    assert code == 200 and body == b"" and int(headers["Content-Length"]) > 10_000
    assert list(folder.glob("*.html")) == [], "nothing is written into the folder"


def check_refusals(served):
    token = served.token
    other = ("0" if token[0] != "0" else "1") + token[1:]
    for path in ("/", "/data", f"/{other}", f"/{other}/data", f"/{token[:-1]}", f"//{token}", f"/x/{token}", f"/{token.upper()}x", "*", "/%2e%2e"):
        code, _, body = served.ask(path, whole=True)
        assert code == 403 and b"whole address" in body, (path, code)
    for path in ("/../../etc/passwd", "/data/", "/data%00", "/%2e%2e/config.resolved.json", "/metrics.jsonl", "x", "//data", "/data/../data"):
        code, _, body = served.ask(path)
        assert code == 404 or (path == "/data%00" and code in (200, 400)), (path, code)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        code, headers, _ = served.ask("/data", method, body="x" * 10_000 if method in ("POST", "PUT") else None)
        assert code == 405 and headers["Allow"] == "GET, HEAD", (method, code)
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "x" * 500):
        code, _, body = served.ask("/data", headers={"Host": host})
        assert code in (400, 403), (host, code, body[:80])
    for host in ("localhost", "localhost:1", f"127.0.0.1:{served.port}", "[::1]:80"):  # a port that is forwarded is another one
        code, _, _ = served.ask("/data", headers={"Host": host})
        assert code == 200, (host, code)
    assert b" 403 " in served.send(f"GET /{token}/data HTTP/1.0\r\n\r\n".encode()).split(b"\r\n")[0], "no host at all"
    assert b" 200 " not in served.send(b"\0\xff\r\n\r\n" * 100).split(b"\r\n")[0]
    assert b" 200 " not in served.send(f"GET /{token}/data HTTP/1.1\r\nHost: localhost\r\nX: {'y' * 100_000}\r\n\r\n".encode()).split(b"\r\n")[0]


def check_loopback(served):
    listening = [line.split()[1] for name in ("tcp", "tcp6") if os.path.exists(f"/proc/net/{name}")
                 for line in open(f"/proc/net/{name}").readlines()[1:] if line.split()[3] == "0A" and line.split()[1].endswith(f":{served.port:04X}")]
    assert listening in ([f"0100007F:{served.port:04X}"], []), listening


def check_unchanged(served):
    """Who knows the data does not get them again until there are others."""
    for _ in range(100):
        code, headers, _ = served.ask("/data")
        again, _, body = served.ask("/data", headers={"If-None-Match": headers["ETag"]})
        if again == 304:
            assert body == b"" and code == 200
            return
    raise AssertionError("never 304")


def check_end(served):
    """Who looks on gets the last state, and then the run's end is not held up."""
    last = None
    while True:
        try:
            code, headers, body = served.ask("/data")
        except (ConnectionError, http.client.HTTPException):
            break
        assert code == 200
        last = headers["Spnas-Run"], json.loads(body)
        time.sleep(0.2)
    assert last[0] == "idle" and last[1]["files"]["arch.json"], "the last state was not shown"
    code, out, said, _ = served.end()
    assert code == 0 and "found" in out, said


def check_search(work):
    plain, folder = work / "plain", work / "served"
    search = ["search", "--data", work / "images", "--quiet", *SEARCH, *SHORT]
    subprocess.run([SPNAS, *map(str, search), "--out", str(plain)], check=True, capture_output=True)
    with Served(*search, "--out", folder, "--serve") as served:
        silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(4)]  # nobody waits for these
        check_answers(served, folder)
        check_end(served)
        for s in silent:
            s.close()
    for name in ("metrics.jsonl", "inherited.safetensors", "config.resolved.json"):
        assert (plain / name).read_bytes() == (folder / name).read_bytes(), f"{name} differs from that of a run that is not served"
    return folder


def check_long(work):
    folder = work / "long"
    with Served("search", "--data", work / "images", "--quiet", *SEARCH, *LONG, "--out", folder, "--serve") as served:
        served.wait_for_data()
        check_refusals(served)
        check_loopback(served)
        check_unchanged(served)
        if PROGRAM:
            check_in_browser(served)
        taken = subprocess.run([SPNAS, "search", "--data", str(work / "images"), *SEARCH, "--out", str(work / "refused"), "--serve", str(served.port)],
                               capture_output=True, text=True)
        assert taken.returncode == 1 and f"cannot listen at 127.0.0.1:{served.port}: " in taken.stderr, taken.stderr
        code, _, said, seconds = served.end(by=signal.SIGINT)
        assert code == 130 and "--resume goes on" in said and seconds < 30, (code, said, seconds)
    for wrong in ("65536", "1.2.3:80", "1:2:3", "127.0.0.1:", ":80", "....", "123456"):
        refused = subprocess.run([SPNAS, "search", "--data", str(work / "images"), *SEARCH, "--out", str(work / "refused"), "--serve", wrong],
                                 capture_output=True, text=True)
        assert refused.returncode == 2 and "--serve: expected a port" in refused.stderr, (wrong, refused.stderr)
    assert not (work / "refused").exists(), "nothing is begun without its view"


def check_in_browser(served):
    tip = "(t => t.opacity * t.dataPoints.length)(Chart.getChart(document.querySelector('#ce canvas')).tooltip)"
    with Browser(served.address) as browser:
        browser.wait("document.getElementById('live')?.textContent === 'live' && document.querySelector('#ce canvas')")
        browser.ask("document.querySelector('#ce details').open = document.querySelector('#about details').open = true; scrollTo(0, 400); "
                    "window.before = [document.querySelector('#ce'), document.querySelector('#ce canvas'), document.querySelector('#about pre')]; 1")
        step = browser.ask("document.querySelector('#verdict').textContent")
        browser.point_at("#ce canvas")
        browser.wait(tip)
        browser.wait(f"document.querySelector('#verdict').textContent !== {json.dumps(step)}")
        browser.wait(f"document.querySelector('#verdict').textContent !== {json.dumps(step)} && document.querySelector('#ce tr:last-child')")
        assert browser.ask("JSON.stringify(before.map((e, i) => e === document.querySelector(['#ce', '#ce canvas', '#about pre'][i])))") == "[true,true,true]"
        assert browser.ask("document.querySelector('#ce details').open && document.querySelector('#about details').open"), "what was open stays open"
        assert browser.ask("scrollY") == 400 and browser.ask(tip) > 0, "the place and the tip stay"
        assert browser.ask("document.querySelectorAll('canvas').length === Object.keys(Chart.instances).length"), "charts that nobody sees"
        rows, marks = browser.ask("[document.querySelectorAll('#ce tbody tr').length, +document.querySelector('#ce').dataset.marks]")
        assert marks == 2 * rows, (rows, marks)
        assert not browser.said, browser.said
    print("the page is drawn anew in the browser")


def check_report(folder):
    """The page of a folder, by `spnas report`, until a signal."""
    with Served("report", folder, "--serve") as served:
        code, headers, body = served.ask("/data")
        assert code == 200 and headers["Spnas-Run"] == "idle" and json.loads(body)["files"]["arch.json"]
        code, _, said, seconds = served.end(by=signal.SIGINT)
        assert code == 130 and "no longer served" in said and seconds < 10, (code, said, seconds)
    refused = subprocess.run([SPNAS, "report", str(folder.parent), "--serve"], capture_output=True, text=True)
    assert refused.returncode == 2 and "expected the folder of a search" in refused.stderr, refused.stderr


def check_without():
    """The source as it is compiled where there is no libmicrohttpd."""
    compiler = shutil.which("cc")
    if compiler:
        subprocess.run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fsyntax-only", f"-I{ROOT}/src", f"-I{ROOT}/kernels",
                        f"{ROOT}/src/cli/serve.c"], check=True)


def main():
    check_without()
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_images(work / "images")
        asked = subprocess.run([SPNAS, "report", name, "--serve"], capture_output=True, text=True)
        missing = subprocess.run([SPNAS, "search", "--target", "80", "--out", f"{name}/x", "--serve"], capture_output=True, text=True)
        if "built without libmicrohttpd" in missing.stderr:
            assert asked.returncode == 2 and missing.returncode == 2
            print("no libmicrohttpd here: --serve says so")
            return
        folder = check_search(work)
        check_long(work)
        check_report(folder)
    print("runs are shown while they go on" + ("" if PROGRAM else "; not in a browser: no chromium here (apt-get install chromium)"))


if __name__ == "__main__":
    main()
