"""The tables and charts in the documents fit the results; the charts are read as plain XML."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.charts import CHARTS, FIRST, THEMES, Chart, Panel, chart, source
from benchmarks.readme import DOCUMENTS, README, drawn, embedded

SVG = "{http://www.w3.org/2000/svg}"
SOURCE = "{http://purl.org/dc/elements/1.1/}source"
SHOWN = [(name, results) for document in DOCUMENTS for name, results in drawn(document.read_text(encoding="utf-8"))]
FILES = [
    pytest.param(name, results, CHARTS / f"{name}-{theme}.svg", id=f"{name}-{theme}")
    for name, results in SHOWN
    for theme in THEMES
]


class _Pictures(HTMLParser):
    """Collects the attributes of each source and image of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"source", "img"}:
            self.found.append((tag, dict(attrs)))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def _places(content: Chart) -> dict[str, tuple[Panel, str]]:
    """Return the panel and the server of each label, by its name in the file."""
    panels = (panel for block in content.blocks for panel in block.panels)
    return {
        f"{panel.column.case}/{panel.column.metric}/{server}": (panel, server)
        for panel in panels
        for server in content.rows
    }


def _groups(path: Path, kind: str) -> dict[str, ET.Element]:
    """Return the groups of a kind, by the rest of their names, which must be unique."""
    found = [each for each in ET.parse(path).iter(f"{SVG}g") if each.get("id", "").startswith(f"{kind}/")]
    names = Counter(each.get("id", "").removeprefix(f"{kind}/") for each in found)
    assert set(names.values()) <= {1}
    return dict(zip(names, found, strict=True))


def _length(bar: ET.Element) -> float:
    """Return the length of a drawn bar."""
    [path] = bar.iter(f"{SVG}path")
    across = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path.get("d", ""))]
    return max(across) - min(across)


def test_the_tables_and_pictures_fit_the_results(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert embedded(text, document.parent) == text


def test_readme_shows_five_servers_in_a_chart() -> None:
    [(name, results)] = drawn(README.read_text(encoding="utf-8"))
    assert list(chart(name, results).rows) == list(FIRST)


def test_every_picture_exists_and_has_a_text(document: Path) -> None:
    for tag, attributes in _Pictures(document.read_text(encoding="utf-8")).found:
        place = attributes["srcset" if tag == "source" else "src"]
        assert place
        assert (document.parent / place).is_file()
        assert tag == "source" or attributes["alt"]


def test_every_chart_is_used() -> None:
    assert {path.name for path in CHARTS.iterdir()} == {f"{name}-{theme}.svg" for name, _ in SHOWN for theme in THEMES}


@pytest.mark.parametrize(("name", "results", "path"), FILES)
class TestChart:
    def test_it_was_drawn_from_these_results(self, name: str, results: list[Path], path: Path) -> None:
        [origin] = ET.parse(path).iter(SOURCE)
        assert origin.text == source(results)

    def test_each_figure_comes_from_the_results(self, name: str, results: list[Path], path: Path) -> None:
        content = chart(name, results)
        expected = {place: content.words(panel.cells[each]) for place, (panel, each) in _places(content).items()}
        found = _groups(path, "label")
        assert {place: "".join(group.itertext()).strip() for place, group in found.items()} == expected

    def test_each_bar_is_as_long_as_its_figure(self, name: str, results: list[Path], path: Path) -> None:
        places = _places(chart(name, results))
        lengths = {place: _length(bar) for place, bar in _groups(path, "bar").items()}
        shares = {
            place: max(found.median, 0) / panel.limit
            for place, (panel, each) in places.items()
            if (found := panel.cells[each].spread)
        }
        assert lengths.keys() == shares.keys()
        full = max(lengths[place] / share for place, share in shares.items() if share > 0.1)
        assert lengths == pytest.approx({place: share * full for place, share in shares.items()}, abs=0.1)

    def test_headings_names_and_notes_are_there(self, name: str, results: list[Path], path: Path) -> None:
        content = chart(name, results)
        words = {each.text for each in ET.parse(path).iter(f"{SVG}text")}
        panels = [panel for block in content.blocks for panel in block.panels]
        titles = [word for panel in panels for word in (panel.column.title, panel.column.unit)]
        assert words >= {*titles, *content.rows.values(), *content.notes}
