"""A listing as the HTML parser of the standard library reads it."""

from html.parser import HTMLParser

__all__ = ["Page", "read"]


class Page(HTMLParser):
    """The content of the page: links with their text, in order, and the text of chosen elements.

    `buttons` has the attributes of each button, `fields` those of each input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.saved: list[str] = []
        self.buttons: list[dict[str, str | None]] = []
        self.fields: list[dict[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self.attributes: set[str] = set()
        self.declared = ""
        self._open: list[str] = []
        self._target: str | None = None

    def handle_decl(self, decl: str) -> None:
        self.declared = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag == "button":
            self.buttons.append(dict(attrs))
            if (dict(attrs).get("aria-label") or "").startswith("Download "):
                self.saved.append(dict(attrs)["formaction"] or "")
        if tag == "input":
            self.fields.append(dict(attrs))
        if tag in {"meta", "link", "img", "br", "input", "track"}:
            return
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")
        if tag == "a":
            self.links.append((dict(attrs)["href"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "elements are nested as they should be"

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data
        if "a" in self._open:
            target, text = self.links[-1]
            self.links[-1] = (target, text + data)

    @property
    def names(self) -> list[str]:
        """The names of the entries."""
        return [text for _, text in self.entries]

    @property
    def targets(self) -> list[str]:
        """The URLs of the entries."""
        return [target for target, _ in self.entries]

    @property
    def entries(self) -> list[tuple[str, str]]:
        """The links without the one to the parent."""
        return [(target, text.strip()) for target, text in self.links if target != "../"]


def read(html: bytes) -> Page:
    """Read a whole page."""
    page = Page()
    page.feed(html.decode("utf-8"))
    page.close()
    return page
