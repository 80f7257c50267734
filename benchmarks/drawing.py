"""Charts as SVG: everything is placed in pixels of GitHub's width, text stays text, and no date is written."""

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.charts import CHARTS, THEMES, Block, Chart, Panel, alternative, chart, kind, source
from benchmarks.stats import Spread

__all__ = ["draw"]

PIXEL = 1 / 96  # inches
WIDTH = 830  # of a README's column at GitHub
LABELS = 190  # the column of names
WIDEST = 240  # a panel
VALUE = 58  # free space at the end of a bar, for its figure
HEAD = 46  # two lines above the bars
ROW, BAR = 21, 13
BETWEEN = 9  # kinds of servers
APART = 14  # blocks
FOOT = 17  # a line below
CAP = 3  # at either end of a range, to each side
SEEN = 0.02  # of a panel; a shorter range is not drawn
SMALL, NORMAL = 8.25, 9.0  # points: 11 and 12 pixels
# matplotlib calculates with its own font, so that every machine draws the same. A browser uses the first of these fonts
# that it has; each of them is narrower.
RECKONED = "DejaVu Sans"
SHOWN = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours that are read well on one of GitHub's two pages."""

    text: str
    muted: str
    line: str
    kinds: dict[str, str]


PALETTES = {
    "light": Palette(
        "#1f2328", "#59636e", "#d1d9e0", {"ours": "#0969da", "flask": "#d4641c", "peer": "#afb8c1", "limit": "#818b98"}
    ),
    "dark": Palette(
        "#f0f6fc", "#9198a1", "#3d444d", {"ours": "#4493f8", "flask": "#e0823d", "peer": "#656c76", "limit": "#7d8590"}
    ),
}


def draw(name: str, results: Sequence[Path], folder: Path = CHARTS) -> Iterator[Path]:
    """Write the chart in both themes, and yield the files; of results that have nothing for it there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    content = chart(name, results)
    for theme in THEMES if content.blocks else ():
        path = folder / f"{name}-{theme}.svg"
        path.write_text(_svg(content, PALETTES[theme], source(results)), encoding="utf-8")
        yield path


def _svg(content: Chart, palette: Palette, origin: str) -> str:
    """Return the file; the salt makes the names of the hatches the same each time."""
    about = {"Date": None, "Creator": None, "Source": origin, "Description": alternative(content)}
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chart", "font.family": RECKONED}):
        _Drawing(content, palette).drawn().savefig(file, format="svg", transparent=True, metadata=about)
    return _lighter(file.getvalue())


def _lighter(text: str) -> str:
    """Name the font once, and leave out attributes without effect."""
    without = re.sub(r" font-family: [^;]*;| transform=\"rotate\(-0 [^)]*\)\"", "", text)
    return without.replace("</style>", f"text{{font-family: {SHOWN}}}</style>", 1)


def _heights(rows: Sequence[str]) -> list[float]:
    """Return the middle of each row, with some space between the kinds."""
    changes = (kind(one) != kind(other) for one, other in itertools.pairwise(rows))
    return list(itertools.accumulate((ROW + BETWEEN * change for change in changes), initial=ROW / 2))


class _Drawing:
    """A chart in one theme; places are counted in pixels from the upper left."""

    def __init__(self, content: Chart, palette: Palette) -> None:
        self.content, self.palette = content, palette
        self.heights = _heights(list(content.rows))
        self.bottom = self.heights[-1] + ROW / 2
        self.step = HEAD + self.bottom + APART
        self.height = self.step * len(content.blocks) + FOOT * len(content.notes)
        self.figure = Figure(figsize=(WIDTH * PIXEL, self.height * PIXEL))

    def drawn(self) -> Figure:
        """Draw everything, and return the figure."""
        for number, block in enumerate(self.content.blocks):
            self._block(block, self.step * number)
        below = self.step * len(self.content.blocks)
        for number, line in enumerate(self.content.notes):
            self._text(0, below + FOOT * (number + 0.5), line, color=self.palette.muted, size=SMALL)
        return self.figure

    def _block(self, block: Block, top: float) -> None:
        self._text(0, top + 12, block.heading, weight="bold")
        for height, (server, label) in zip(self.heights, self.content.rows.items(), strict=True):
            ours = kind(server) == "ours"
            color = self.palette.kinds["ours"] if ours else self.palette.text
            self._text(0, top + HEAD + height, label, color=color, weight="bold" if ours else "normal")
        width = min(WIDEST, (WIDTH - LABELS) / len(block.panels))
        for number, panel in enumerate(block.panels):
            self._panel(panel, LABELS + width * number, top, width - VALUE)

    def _panel(self, panel: Panel, left: float, top: float, width: float) -> None:
        self._text(left, top + 12, panel.column.title, weight="bold")
        self._text(left, top + 29, panel.column.unit, color=self.palette.muted, size=SMALL)
        axes = self._axes(left, top + HEAD, width, panel.limit)
        axes.vlines(0, 0, self.bottom, color=self.palette.line, linewidth=1)
        for height, server in zip(self.heights, self.content.rows, strict=True):
            self._cell(axes, height, panel, server)

    def _cell(self, axes: Axes, height: float, panel: Panel, server: str) -> None:
        """Draw the bar and its figure, or say why there is none; both can be found by their names."""
        found, place = panel.cells[server], f"{panel.column.case}/{panel.column.metric}/{server}"
        if found.spread:
            self._bar(axes, height, found.spread, kind(server), f"bar/{place}")
        color = self.palette.text if found.spread else self.palette.muted
        end = (found.spread.high if found.spread else 0, height)
        label = axes.annotate(self.content.words(found), end, (4, 0), textcoords="offset points", color=color)
        label.set(size=SMALL, va="center_baseline", annotation_clip=False, gid=f"label/{place}")

    def _bar(self, axes: Axes, height: float, found: Spread, what: str, name: str) -> None:
        length = max(found.median, 0)  # a server may need less memory than it did when idle
        [bar] = axes.barh(height, length, height=BAR, color=self.palette.kinds[what], clip_on=False, gid=name)
        if what == "limit":
            bar.set(
                facecolor="none", edgecolor=self.palette.kinds[what], hatch="////", hatch_linewidth=0.8, linewidth=0.8
            )
        if found.high - found.low > axes.get_xlim()[1] * SEEN:
            ends = [found.low] * 3 + [found.high] * 3
            sides = [height + side for side in (-CAP, CAP, 0, 0, -CAP, CAP)]
            axes.plot(ends, sides, color=self.palette.text, linewidth=0.9, clip_on=False, scalex=False, scaley=False)

    def _text(
        self, x: float, y: float, words: str, *, color: str = "", size: float = NORMAL, weight: str = "normal"
    ) -> None:
        """Write words whose middle is at that height."""
        text = self.figure.text(x / WIDTH, 1 - y / self.height, words, color=color or self.palette.text)
        text.set(size=size, weight=weight, va="center_baseline", parse_math=False)

    def _axes(self, left: float, top: float, width: float, limit: float) -> Axes:
        """Return axes without a frame, from zero to the limit; one unit downwards is one pixel."""
        place = (left / WIDTH, 1 - (top + self.bottom) / self.height, width / WIDTH, self.bottom / self.height)
        axes = self.figure.add_axes(place, xlim=(0, limit), ylim=(self.bottom, 0))
        axes.set_axis_off()
        return axes
