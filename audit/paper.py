"""Evidence on paper: a PDF that says what it is about, with tables that flow over pages, numbered, and nothing fetched.

The same content gives the same bytes. The font is that of a package; a sign that it lacks is written as its code point,
so that nothing is left out silently.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

FONT = "Noto Sans"
_FILE = ("fontpkg_noto_sans", "files", "NotoSans[wdth,wght].ttf")
_MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_LONGEST = 4_000  # characters of a cell: one row of a table has to fit on a page
CUT = " … (cut here)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with text, a table, or both. `columns` are heading and share of the width."""

    title: str
    text: str = ""
    columns: Sequence[tuple[str, int]] = ()
    rows: Iterable[Sequence[str]] = ()
    nothing: str = "None."


def program_version() -> str:
    """Of the workbench that makes it."""
    try:
        return version("exception-workbench")
    except PackageNotFoundError:  # run from its directory, as `./run` does
        return "0.1.0"


def moment(at: datetime | None) -> str:
    """A time as it is written on paper."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def paper(
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Iterable[Section],
    *,
    footer: str,
    masked: Callable[[str], str] = str,
) -> bytes:
    """A PDF on A4. `facts` stand below the title, `footer` on every page before its number.

    Every text passes `masked`, the one place where what a reader may not see is taken out of it.
    """
    out = BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=2 * _MARGIN,
        title=_signs(masked(title)), author="Exception Workbench", invariant=1, lang="en",
    )  # fmt: skip
    _font()
    story: list[Flowable] = [Paragraph(_text(masked(title)), _style(14, space=4))]
    story += _table((("", 1), ("", 3)), [(name, masked(text)) for name, text in facts], head=False)
    for section in sections:
        rows = [[masked(cell) for cell in row] for row in section.rows]
        story += _flowables(replace(section, text=masked(section.text), rows=rows))
    document.build(story, canvasmaker=_numbered(_signs(masked(footer))))
    return out.getvalue()


def _flowables(section: Section) -> list[Flowable]:
    found: list[Flowable] = [Spacer(1, 4 * mm), Paragraph(_text(section.title), _style(11, space=2, keeps=True))]
    if section.text:
        found.append(Paragraph(_text(section.text), _style(8.5)))
    rows = list(section.rows)
    if section.columns and rows:
        return [*found, *_table(section.columns, rows, head=True)]
    return found if section.text else [*found, Paragraph(_text(section.nothing), _style(8.5))]


def _table(columns: Sequence[tuple[str, int]], rows: Sequence[Sequence[str]], *, head: bool) -> list[Flowable]:
    whole, style = sum(share for _, share in columns), _style(7.5)
    cells = [[Paragraph(_text(cell), style) for cell in row] for row in rows]
    if head:
        cells.insert(0, [Paragraph(_text(name), style) for name, _ in columns])
    look = TableStyle(
        [
            ("GRID", (0, 0), (-1, -1), 0.25, colors.HexColor("#999999")),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            *([("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#eeeeee"))] if head else []),
        ]
    )
    widths = [_WIDTH * share / whole for _, share in columns]
    # A row that is longer than a page goes on over the next one.
    return [Table(cells, colWidths=widths, repeatRows=int(head), style=look, splitInRow=1)]


def _numbered(footer: str) -> Callable[..., Canvas]:
    class Numbered(Canvas):  # type: ignore[misc]
        """Writes “Page 2 of 3” once it is known how many there are."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - as it is called there
            self._pages.append(dict(vars(self)))
            self._startPage()

        def save(self) -> None:
            pages = self._pages
            for number, page in enumerate(pages, start=1):
                self.__dict__.update(page)
                self.setFont(FONT, 7)
                self.drawString(_MARGIN, _MARGIN, footer)
                self.drawRightString(A4[0] - _MARGIN, _MARGIN, f"Page {number} of {len(pages)}")
                super().showPage()
            super().save()

    return Numbered


@cache
def _font() -> frozenset[int]:
    """Registers the font, once; the code points that it has a sign for."""
    font = TTFont(FONT, BytesIO(files(_FILE[0]).joinpath(*_FILE[1:]).read_bytes()))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)


def _style(size: float, *, space: float = 0, keeps: bool = False) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size}", fontName=FONT, fontSize=size, leading=size * 1.3, spaceAfter=space * mm, keepWithNext=int(keeps),
        splitLongWords=1,
    )  # fmt: skip


def _text(text: str) -> str:
    """As the paragraphs take it: marked up for nothing but line breaks."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + CUT
    return escape(_signs(text)).replace("\n", "<br/>")


def _signs(text: str) -> str:
    known = _font()
    return "".join(sign if sign == "\n" or ord(sign) in known else f"[U+{ord(sign):04X}]" for sign in text)
