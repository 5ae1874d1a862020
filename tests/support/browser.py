"""A page in headless Chromium, driven by the DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
# A browser without GPU and network, that leaves alone what it need not do.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# Key codes of Windows, by which Chromium tells the keys.
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}


class Page:
    """A page in a browser; the commands are those of https://chromedevtools.github.io.

    Args:
        commands: file descriptor that takes commands.
        answers: file descriptor that gives answers and events.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._numbers = count(1)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path, width: int, height: int, scheme: str = "light") -> None:
        """Open a file, and wait until it and its images are there.

        Args:
            path: the file.
            width: of the window, in pixels.
            height: of the window, in pixels.
            scheme: the colours that the reader prefers, "light" or "dark".
        """
        phone = width < 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[preference])
        self.call("Page.navigate", url=path.as_uri())
        self.evaluate(
            f"""new Promise((done) => {{
              const wait = () => location.href === {path.as_uri()!r} &&
                document.readyState === "complete" ? done(true) : setTimeout(wait, 20);
              wait();
            }})"""
        )

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which JSON can hold; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key of ``KEYS`` and let go of it."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def screenshot(self, whole: bool = False) -> bytes:
        """What the window shows, or the whole page, as PNG."""
        answer = self.call(
            "Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole)
        )
        return base64.b64decode(answer["data"])

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def _read(self) -> bytes:
        content = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            content += byte
        return bytes(content)


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """A page in a browser of its own, which ends with the block.

    Args:
        profile: an empty folder for the files of the browser.
    """
    assert CHROMIUM is not None
    reads, commands = os.pipe()
    answers, writes = os.pipe()
    # The browser reads commands from descriptor 3 and writes answers to 4. Other shells know
    # descriptors of one digit only.
    script = f'exec "$@" 3<&{reads} 4>&{writes}'
    command = ["bash", "-c", script, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
    with subprocess.Popen(command, pass_fds=(reads, writes), stderr=subprocess.DEVNULL) as process:
        os.close(reads)
        os.close(writes)
        try:
            page = Page(commands, answers)
            yield page
            page.call("Browser.close")
        finally:
            process.terminate()
