"""Check the files of the built site: ``python tools/check_site.py site``.

Links lead to pages and anchors that are there, pictures and other files exist, pictures have words
and are drawn, and nothing comes from another host.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a page loads by itself: tag -> attribute.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
#: Links that load what they name, by their `rel`.
LOADING = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "dns-prefetch", "manifest"}
FOREIGN = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']+")
#: A picture with fewer drawn paths and letters has nothing in its axes.
FEWEST_PARTS = 12


class Page(HTMLParser):
    """Anchors of a page, the links on it, and the files that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.unnamed: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and LOADING & set(given.get("rel", "").split()):
            self.loads.append(given["href"])
        if tag in LOADED and LOADED[tag] in given:
            self.loads.append(given[LOADED[tag]])
        if tag == "img" and not given.get("alt"):
            self.unnamed.append(given.get("src", ""))


def faults(site: Path) -> list[str]:
    """What is wrong with a built site, a line each."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site}: no pages; build the site first"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve()).as_posix()
        if name == "404.html":  # its links are absolute, for any folder
            continue
        found += [f"{name}: {fault}" for fault in page_faults(path, page, pages, site)]
    for path in sorted(site.rglob("*.css")):
        for match in FOREIGN.findall(path.read_text(encoding="utf-8")):
            found.append(f"{path.name}: loads {match}")
    return found + picture_faults(site)


def page_faults(path: Path, page: Page, pages: dict[Path, Page], site: Path) -> list[str]:
    """Of one page: broken links, files that are not there, foreign hosts."""
    found = [f"a picture without words: {source}" for source in page.unnamed]
    for address in page.loads:
        parts = urlsplit(address)
        if parts.scheme == "data":
            continue
        if parts.netloc:
            found.append(f"loads {address}")
        elif not target(path, parts.path).is_file():
            found.append(f"{address} is not there")
    for address in sorted(set(page.links)):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        place = target(path, parts.path)
        if not place.is_file() or not place.is_relative_to(site.resolve()):
            found.append(f"the link {address} leads nowhere")
        elif parts.fragment and place in pages:
            if unquote(parts.fragment) not in pages[place].anchors:
                found.append(f"the link {address} has no anchor")
    return found


def target(path: Path, place: str) -> Path:
    """The file that an address on a page means."""
    found = (path.parent / unquote(place)).resolve() if place else path
    return found / "index.html" if found.is_dir() else found


def picture_faults(site: Path) -> list[str]:
    """Pictures that have no twin, or hardly anything drawn in them."""
    found = []
    for path in sorted((site / "pictures").rglob("*-light.svg")):
        twin = path.with_name(path.name.replace("-light.svg", "-dark.svg"))
        text = path.read_text(encoding="utf-8")
        if text.count("<path") + text.count("<use") < FEWEST_PARTS:
            found.append(f"{path.name} is blank")
        if not twin.is_file() or twin.read_text(encoding="utf-8") == text:
            found.append(f"{path.name} has no twin for dark pages")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print("\n".join(wrong) or "no fault")
    sys.exit(bool(wrong))
