"""Visit every page of the built site in Chromium: ``python tools/browse_site.py site``.

At 400 and 1400 pixels, on light and dark pages: nothing in the console, nothing from another host,
every file found, no picture blank, no page wider than the window. ``--shots FOLDER`` keeps pictures
of all pages; ``--pages TEXT`` visits those whose names have the text. It needs ``chromium`` and
``chromedriver`` (Debian: ``chromium-driver``), and speaks to these by the WebDriver protocol.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WIDTHS, SCHEMES = (400, 1400), ("light", "dark")
HEIGHT = 1600
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
]  # fmt: skip
SWITCH = """
if ((document.body.dataset.mdColorScheme === "slate") !== (arguments[0] === "dark"))
  document.querySelector("[data-md-component=palette] label:not([hidden])").click();
"""
#: Waits for pictures, then says what is wrong with the page that is shown. A picture is blank where
#: all pixels of its middle have one colour.
LOOK = """
const [scheme, width, done] = arguments;
const images = [...document.images];
images.forEach(image => { image.loading = "eager"; });
Promise.all(images.map(image => image.decode().then(() => null, () => image.src))).then(lost => {
  const found = lost.filter(Boolean).map(source => "not shown: " + source);
  if ((document.body.dataset.mdColorScheme === "slate") !== (scheme === "dark"))
    found.push("the page is not " + scheme);
  const wide = document.documentElement.scrollWidth - width;
  if (wide > 0) found.push("wider than the window by " + wide + " pixels: " + widest(width));
  for (const entry of performance.getEntriesByType("resource"))
    if (!entry.name.startsWith(location.origin) && !entry.name.startsWith("data:"))
      found.push("loads " + entry.name);
  for (const image of document.querySelectorAll("figure.picture img"))
    if (image.naturalWidth && image.offsetWidth && blank(image))
      found.push("blank: " + image.src);
  if (![...document.querySelectorAll("figure.picture")].every(seen))
    found.push("a picture is not seen");
  done(found);
});
function seen(figure) {
  return [...figure.querySelectorAll("img")].filter(image => image.offsetWidth > 0).length === 1;
}
function widest(width) {
  const wide = [...document.querySelectorAll("main *")].filter(
    one => one.getBoundingClientRect().right > width + 1);
  return wide.length ? wide[0].tagName + " " + wide[0].className : "";
}
function blank(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [200, 150];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 200, 150);
  const pixels = new Uint32Array(context.getImageData(30, 20, 140, 100).data.buffer);
  return pixels.every(pixel => pixel === pixels[0]);
}
"""


class Browser:
    """Chromium, by the calls of WebDriver."""

    def __init__(self, port: int, profile: str) -> None:
        self.address = f"http://127.0.0.1:{port}"
        options = {"args": [*OPTIONS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.address += f"/session/{made['sessionId']}"

    def call(self, method: str, place: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        header = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + place, data, header, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def command(self, name: str, **params: Any) -> Any:
        """One of Chromium's own."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": name, "params": params})

    def window(self, width: int) -> None:
        """The size of the window."""
        size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def choose(self, url: str, scheme: str) -> None:
        """Light or dark pages, by the switch in their head; the site remembers it."""
        self.call("POST", "/url", {"url": url})
        self.call("POST", "/execute/sync", {"script": SWITCH, "args": [scheme]})

    def visit(self, url: str, scheme: str, width: int) -> list[str]:
        """Show a page; what is wrong with it."""
        self.call("POST", "/url", {"url": url})
        found = self.call("POST", "/execute/async", {"script": LOOK, "args": [scheme, width]})
        logged = self.call("POST", "/se/log", {"type": "browser"})
        return found + [f"console: {entry['message']}" for entry in logged]

    def shot(self) -> bytes:
        """The page as it is seen, whole."""
        made = self.command("Page.captureScreenshot", captureBeyondViewport=False)
        return base64.b64decode(made["data"])


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """The site on this machine; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser of its own, with a new profile, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromedriver", "--port=0"]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            one = Browser(port_of(driver), profile)
            yield one
            one.call("DELETE", "")
        finally:
            driver.terminate()
            driver.wait()


def port_of(driver: subprocess.Popen[str]) -> int:
    """The port that chromedriver says it listens on."""
    assert driver.stdout is not None
    for line in driver.stdout:
        if "was started successfully on port" in line:
            return int(line.rstrip(".\n").rpartition(" ")[2])
    raise SystemExit("chromedriver did not start")


def look(site: Path, chosen: str, shots: Path | None) -> list[str]:
    """What is wrong with the pages, a line each."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    names = [name for name in names if chosen in name and name != "404.html"]
    found = []
    with served(site) as address, browser() as one:
        for scheme in SCHEMES:
            for width in WIDTHS:
                one.window(width)
                one.choose(address, scheme)
                for name in names:
                    faults = one.visit(address + name, scheme, width)
                    found += [f"{name}, {width} pixels, {scheme}: {fault}" for fault in faults]
                    if shots is not None:
                        shots.mkdir(parents=True, exist_ok=True)
                        stem = name.removesuffix(".html").replace("/", "-")
                        (shots / f"{stem}-{width}-{scheme}.png").write_bytes(one.shot())
    print(f"{len(names)} pages in {len(WIDTHS) * len(SCHEMES)} windows")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Look at the built site in Chromium.")
    parser.add_argument("site", type=Path)
    parser.add_argument("--pages", default="", help="visit pages whose names have this text")
    parser.add_argument("--shots", type=Path, help="folder for pictures of the pages")
    chosen = parser.parse_args()
    if missing := [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]:
        print(f"{' and '.join(missing)} not found: apt-get install chromium chromium-driver")
        return 2
    start = time.perf_counter()
    wrong = look(chosen.site, chosen.pages, chosen.shots)
    print("\n".join(wrong) or "no fault", f"({time.perf_counter() - start:.0f} s)")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
