"""What every page of a report must be: well-formed, without script, and one file."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Balance(HTMLParser):
    """Checks that elements are closed in order; collects ids, link targets and sources."""

    VOID = {"meta", "img", "source", "br", "link"}

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [v for k, v in attrs if k == "id" and v]
        self.references += [given[k] or "" for k in ("href", "src", "srcset") if k in given]
        assert tag not in ("script", "link", "iframe", "object") and not any(k.startswith("on") for k in given)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def check_page(text: str) -> Balance:
    """A well-formed page that refers to nothing outside itself."""
    found = Balance(text)
    assert all(r.startswith(("#", "data:")) for r in found.references)
    assert {r[1:] for r in found.references if r.startswith("#")} <= set(found.ids)
    without_namespaces = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|@import|url\((?!#)", without_namespaces)
    return found
