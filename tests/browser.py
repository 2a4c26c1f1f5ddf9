"""A browser that clicks and types: headless Chromium without network, driven by the DevTools protocol."""

import itertools
import json
import shutil
import subprocess
import time
from contextlib import ExitStack

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
]  # fmt: skip
# Key codes as browsers know them: https://www.w3.org/TR/uievents/#legacy-key-models
CODES = {"Enter": 13, "Tab": 9, " ": 32, "ArrowDown": 40, "ArrowRight": 39, "ArrowLeft": 37, "ArrowUp": 38}
SHIFT = 8
PATIENCE = 60  # seconds


class Browser:
    """One page in a window of `width` x `height`; `messages` are what its scripts logged as errors."""

    def __init__(self, folder, width=1280, height=900):
        from websockets.sync.client import connect

        self.folder = folder
        profile = folder / "profile"
        command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = profile / "DevToolsActivePort"
        self.wait(lambda: told.is_file() and told.read_text().count("\n"))
        port, path = told.read_text().split()
        self.opened = ExitStack()
        self.socket = self.opened.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=None, open_timeout=PATIENCE)
        )
        self.numbers, self.session, self.messages = itertools.count(1), {}, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.send("Page.enable")
        self.send("Runtime.enable")
        self.send("Log.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.opened.close()
        self.process.terminate()
        self.process.wait()

    @staticmethod
    def wait(ready):
        """Wait until `ready` says so."""
        end = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < end, "the browser did not get so far"
            time.sleep(0.02)

    def send(self, method, **params):
        """Send a command of the protocol and return its result."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params, **self.session}))
        while True:
            answer = json.loads(self.socket.recv(timeout=PATIENCE))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.messages.append(json.dumps(answer["params"]["exceptionDetails"]))
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.messages.append(answer["params"]["entry"]["text"])
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def tell(self, expression):
        """Return the value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, page):
        """Open a page, given as text, and wait until it is loaded."""
        (self.folder / "page.html").write_text(page, encoding="utf-8")
        self.send("Page.navigate", url=(self.folder / "page.html").as_uri())
        self.wait(lambda: self.tell("document.readyState === 'complete' && location.protocol === 'file:'"))

    def click(self, selector):
        """Press and release the mouse in the middle of an element."""
        x, y = self.tell(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              element.scrollIntoView({{block: "center", behavior: "instant"}});
              const {{left, top, width, height}} = element.getBoundingClientRect();
              return [left + width / 2, top + height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, times=1, modifiers=0):
        """Press and release a key."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = CODES.get(key, ord(key[0].upper()))
        for _ in range(times):
            of = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **of)
            self.send("Input.dispatchKeyEvent", type="keyUp", **of)

    def type(self, text):
        """Type a text, key by key."""
        for letter in text:
            self.press(letter)

    def tab_to(self, selector):
        """Press Tab until an element has the focus."""
        for _ in range(200):
            self.press("Tab")
            if self.tell(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise AssertionError(f"Tab does not come to {selector}")
