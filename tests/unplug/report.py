"""What became of what was sent while a piece was away, as a line of a table."""

from dataclasses import dataclass

from tests.unplug.told import Item, Word, kinds_of

COLUMNS = ("piece", "away", "sent", "accepted", "given up", "in the dark, asked again", "calm after", "told")


@dataclass(frozen=True, slots=True)
class Line:
    piece: str
    away: float
    items: list[Item]
    calm_after: float

    def cells(self) -> list[str]:
        dark = sum(any(told.word is Word.NOT_KNOWN for told in item.history) for item in self.items)
        told = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds_of(self.items).items()))
        return [
            self.piece,
            f"{self.away:.0f} s",
            str(sum(len(item.identifiers) for item in self.items)),
            str(sum(len(item.identifiers) for item in self.items if item.accepted)),
            str(sum(len(item.identifiers) for item in self.items if item.given_up)),
            str(dark),
            f"{self.calm_after:.0f} s",
            told or "nothing but that it was accepted",
        ]


def table(lines: list[Line]) -> str:
    rows = [list(COLUMNS), *(line.cells() for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
