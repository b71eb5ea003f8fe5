"""HTML pages, taken apart."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is read, with single blanks."""
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def attributes(self, tag: str) -> list[dict[str, str]]:
        """Those of each such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def places(self) -> list[str]:
        """All that it refers to."""
        return [
            each[key] for _, each in self.tags for key in ("src", "href") if key in each
        ]

    @property
    def headings(self) -> set[str]:
        """The names of its parts."""
        return {
            each["id"] for each in self.attributes("section") if "class" not in each
        }


def check_alone(text: str) -> None:
    """Check that a page needs nothing else, and that nothing in it is run."""
    page = Page(text)
    assert page.attributes("script") == []
    assert not any(name.startswith("on") for _, each in page.tags for name in each)
    assert "@import" not in text
    assert "url(" not in text
    (policy,) = (
        each["content"]
        for each in page.attributes("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src ")
