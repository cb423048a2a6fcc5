"""A headless Chromium that a check steers and asks, by the DevTools protocol through a pipe; nothing beyond Python is needed."""
import json
import os
import shutil
import subprocess
import tempfile
import time

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TO_BROWSER, FROM_BROWSER = 3, 4  # descriptors that --remote-debugging-pipe reads and writes
TALKS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


class Browser:
    def __init__(self, address, size="1300,1400"):
        self.count, self.rest, self.session, self.said = 0, b"", None, []
        self.profile = tempfile.mkdtemp()
        ours, theirs = os.pipe(), os.pipe()

        def place_pipes():  # by way of copies, for one may lie where the other belongs
            reads, writes = os.dup(ours[0]), os.dup(theirs[1])
            spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(FROM_BROWSER + 1)]
            os.dup2(os.dup(reads), TO_BROWSER)
            os.dup2(os.dup(writes), FROM_BROWSER)
            del spare

        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={self.profile}",
             f"--window-size={size}", "about:blank"], close_fds=False, preexec_fn=place_pipes, stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self.write, self.read = ours[1], theirs[0]
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Runtime", "Page", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        os.close(self.write)
        os.close(self.read)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                part = os.read(self.read, 1 << 20)
                assert part, "the browser is gone"
                self.rest += part
            text, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in TALKS:
                self.said.append(str(answer["params"])[:500])

    def ask(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression, seconds=60):
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while not self.ask(f"!!({expression})"):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}; {self.said}"
            time.sleep(0.1)

    def point_at(self, selector):
        x, y = self.ask(f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
