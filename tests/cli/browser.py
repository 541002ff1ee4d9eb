"""A headless browser, driven through the pipe of its DevTools protocol, for view-browser.t:

    browser.py PROGRAM PAGE < steps

Each line of steps is JavaScript to evaluate in the page, whose value is printed as JSON; or
    !hover SELECTOR     moves the pointer there        !click SELECTOR    presses it, too
    !key NAME           presses a key (ArrowDown, Enter, Escape, Tab, or a character)
    !dark               prefers-color-scheme: dark     !shot FILE         a picture (PNG)
At the end every message, exception and dialog of the page is printed, of which there should
be none.  Only Python's own library is used.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

KEYS = {"ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Enter": 13,
        "Escape": 27, "Tab": 9, "Home": 36, "End": 35}


class Browser:
    def __init__(self, program, profile):
        ours, theirs = os.pipe(), os.pipe()  # ours: we write
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage", "--user-data-dir=" + profile, "--window-size=1200,900",
                 "--remote-debugging-pipe"]
        shell = 'exec 3<&%d 4>&%d; exec "$@"' % (ours[0], theirs[1])
        self.process = subprocess.Popen(["sh", "-c", shell, "sh", program, *flags],
                                        pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.back, self.buffer = ours[1], theirs[0], b""
        self.number, self.session, self.said = 0, None, []

    def receive(self):
        while b"\0" not in self.buffer:
            more = os.read(self.back, 1 << 20)
            if not more:
                sys.exit("the browser is gone")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(line)
        self.note(message.get("method"), message.get("params", {}))
        return message

    def note(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.said.append("exception: " + str(params["exceptionDetails"].get("text")))
        elif method == "Runtime.consoleAPICalled":
            self.said.append("console: " + json.dumps(params["args"]))
        elif method == "Log.entryAdded":
            self.said.append("log: " + params["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.said.append("dialog: " + params["message"])
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("file:"):
            self.said.append("request: " + params["request"]["url"])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            got = self.receive()
            if got.get("id") == self.number:
                if "error" in got:
                    sys.exit("%s: %s" % (method, got["error"]["message"]))
                return got["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log", "Network":
            self.call(domain + ".enable")
        self.call("Page.navigate", url=url)
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, text):
        got = self.call("Runtime.evaluate", expression=text, returnByValue=True)
        if "exceptionDetails" in got:
            return "exception: " + got["exceptionDetails"].get("exception", {}).get("description", "?")
        return got["result"].get("value")

    def mouse(self, kind, selector):
        at = self.evaluate("""(() => { const x = document.querySelector(%s);
            x.scrollIntoView({block: "center"}); const r = x.getClientRects()[0];
            return [r.x + r.width / 2, r.y + r.height / 2]; })()""" % json.dumps(selector))
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **button)

    def key(self, name):
        more = {"windowsVirtualKeyCode": KEYS[name]} if name in KEYS else {"text": name}
        for kind in "keyDown", "keyUp":
            self.call("Input.dispatchKeyEvent", type=kind, key=name, **more)

    def do(self, line):
        word, _, rest = line.partition(" ")
        if word in ("!hover", "!click"):
            self.mouse("mouseMoved", rest)
        if word == "!click":
            self.mouse("mousePressed", rest)
            self.mouse("mouseReleased", rest)
        elif word == "!key":
            self.key(rest)
        elif word == "!dark":
            self.call("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": "dark"}])
        elif word == "!shot":
            data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            pathlib.Path(rest).write_bytes(base64.b64decode(data))
        elif not word.startswith("!"):
            print(json.dumps(self.evaluate(line), ensure_ascii=False))


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(sys.argv[1], profile)
        try:
            browser.open(pathlib.Path(sys.argv[2]).resolve().as_uri())
            for line in sys.stdin:
                if line.strip():
                    browser.do(line.strip())
            for text in browser.said:
                print(text)
        finally:
            browser.process.kill()
            browser.process.wait()


main()
