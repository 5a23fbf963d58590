"""The page: escaping, tables, figures and the frame around the sections. No script, no request to anywhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("style.css")
# what a browser enforces even if something foreign should get into the page
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Text that is HTML already; everything else is escaped."""

    __slots__ = ()


def html(content: object) -> Html:
    """Any content as HTML: `Html` as it is, everything else escaped."""
    return content if isinstance(content, Html) else Html(escape(str(content)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Contents one after the other."""
    return Html(between.join(html(p) for p in parts))


def element(tag: str, *content: object, cls: str = "") -> Html:
    """`<tag>` around contents."""
    attribute = f' class="{escape(cls)}"' if cls else ""
    return Html(f"<{tag}{attribute}>{join(content)}</{tag}>")


def paragraph(*content: object, soft: bool = False) -> Html:
    """A paragraph."""
    return element("p", *content, cls="soft" if soft else "")


def figure(content: object, caption: object = "") -> Html:
    """A figure with what it says in words."""
    return element("figure", content, element("figcaption", caption) if caption else "")


def side_by_side(parts: Sequence[object], columns: int = 2) -> Html:
    """Parts beside each other, as far as there is room."""
    return element("div", *parts, cls=f"grid{columns}")


def swatch(kind: str) -> Html:
    """A small square in the colour of a series."""
    return Html(f'<span class="swatch k-{escape(kind)}"></span>')


def image(data: bytes, mime: str, alt: str, still: bytes | None = None) -> Html:
    """A picture inside the page.

    Args:
        data: content of the picture's file.
        mime: its type, such as "image/png".
        alt: what it shows.
        still: a picture of the same type for readers who have asked their system for less motion.
    """
    tag = f'<img src="{_data_url(data, mime)}" alt="{escape(alt)}">'
    if still is None:
        return Html(tag)
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="{_data_url(still, mime)}">'
    return Html(f"<picture>{source}{tag}</picture>")


def _data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def details(summary: object, *content: object) -> Html:
    """Content that a reader may open."""
    return element("details", element("summary", summary), *content)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: its heading.
        cls: "" for words, "prose" for sentences, "number" for figures, "code" for identifiers.
    """

    head: object
    cls: str = ""


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], strong: int | None = None) -> Html:
    """A table; row number `strong` is emphasized.

    Columns without any heading make a table of names and values.
    """
    heads = [element("th", c.head, cls="number" if c.cls == "number" else "") for c in columns]
    head = element("thead", element("tr", *heads)) if any(c.head for c in columns) else Html()
    lines = []
    for i, row in enumerate(rows):
        cells = [element("td", cell, cls=c.cls) for c, cell in zip(columns, row, strict=True)]
        lines.append(element("tr", *cells, cls="strong" if i == strong else ""))
    return element("div", element("table", head, element("tbody", *lines)), cls="scroll")


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        content: what stands below.
    """

    title: str
    content: Html

    @property
    def anchor(self) -> str:
        """What links to it."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def page(title: str, lead: Html, sections: Sequence[Section], foot: object) -> str:
    """The whole document.

    Args:
        title: heading and name of the page.
        lead: what stands above everything else.
        sections: the rest, in order.
        foot: the last line.
    """
    links = join((Html(f'<a href="#{s.anchor}">{escape(s.title)}</a>') for s in sections), " ")
    parts = [Html(f'<section id="{s.anchor}"><h2>{escape(s.title)}</h2>{s.content}</section>\n') for s in sections]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>{lead}<nav>{links}</nav></header>\n<main>\n{join(parts)}</main>\n"
        f"<footer>{html(foot)}</footer>\n</body>\n</html>\n"
    )
