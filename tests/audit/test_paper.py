"""Evidence on paper: readable, numbered, the same bytes for the same content, and nothing left out silently."""

import io

from pypdf import PdfReader

from audit.paper import CUT, Section, paper


def pages(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def test_paper_flows_over_pages_is_readable_and_the_same_each_time():
    rows = [(f"Row {number}", "Łódź, Ελληνικά, Привет", "<b>&amp; 東\x01") for number in range(200)]
    rows += [("long", "word " * 2_000, "x" * 300)]
    sections = [
        Section(title="Rows", columns=(("Name", 1), ("Text", 2), ("Signs", 2)), rows=rows),
        Section(title="Nothing", columns=(("Name", 1),)),
    ]
    made = paper("Evidence of EX-1", [("Amount", "1250.00 EUR")], sections, footer="EX-1 · generated")
    assert made == paper("Evidence of EX-1", [("Amount", "1250.00 EUR")], sections, footer="EX-1 · generated")
    read = pages(made)
    assert len(read) > 4
    for number, text in enumerate(read, start=1):
        assert f"Page {number} of {len(read)}" in text
        assert "EX-1 · generated" in text
    whole = "\n".join(read)
    for wanted in (
        "Evidence of EX-1",
        "1250.00 EUR",
        "Row 199",
        "Łódź, Ελληνικά, Привет",
        "<b>&amp;",
        "[U+6771][U+0001]",
    ):
        assert wanted in whole
    assert CUT.strip() in whole.replace("\n", " ")
    assert whole.rstrip().count("None.") == 1
