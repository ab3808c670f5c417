"""Rows of a value mapping as CSV: imported as a proposal, exported as they hold."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from exceptions_app.actions.mover import Invalid
from exceptions_app.models import MappingProposal
from exceptions_app.value_csv import LinesInvalid, read_csv
from exceptions_app.value_rows import WrittenRow
from integrations.models import Connection
from tests.cast import Cast
from tests.exceptions_app.handover.conftest import erp
from tests.exceptions_app.value_mappings.mapping import WHY, mapped, row
from tests.exceptions_app.value_mappings.refused import refused
from tests.exceptions_app.value_mappings.test_pages import SignIn, text_of

__all__ = ["erp"]
pytestmark = pytest.mark.django_db
TYPED = {
    "kind": "product_family", "connection": "tax-authority", "entity": "NL01", "queue": "e-invoicing", "because": WHY,
}  # fmt: skip
TEXT = "source_value,target_value,valid_from,valid_to\r\nROBOTICS,800400,2026-01-01,\r\nDRONES,800500,,2026-12-31\r\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "\ufeff" + TEXT,
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        TEXT.replace("\r\n", "\n\n"),
        "Valid from,Valid to,Source value,Target value\n2026-01-01,,ROBOTICS,800400\n,2026-12-31,DRONES,800500",
    ],
)
def test_rows_are_read_however_they_are_parted(text: str):
    assert list(read_csv(text).rows) == [
        WrittenRow(source_value="ROBOTICS", target_value="800400", valid_from=date(2026, 1, 1)),
        WrittenRow(source_value="DRONES", target_value="800500", valid_to=date(2026, 12, 31)),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The column source_value is missing"),
        ("source_value\nA", "The column target_value is missing"),
        ("source_value,target_value,colour\nA,B,C", "There is no column “colour”"),
        ("source_value,target_value,target_value\nA,B,C", "A column is named twice"),
        ('source_value,target_value\n"A,B', "is no CSV"),
    ],
)
def test_table_that_cannot_be_read_says_what_to_do(text: str, says: str):
    with pytest.raises(Invalid, match=says):
        read_csv(text)


def test_every_line_at_fault_is_named_with_its_column(cast: Cast):
    with pytest.raises(LinesInvalid) as refused_lines:
        read_csv("source_value,target_value,valid_from\nA,1,2026-13-01\n\nB,2\nC,3,1.1.2026\nD,4,,5\n")
    error = refused_lines.value
    assert [error.lines.in_words(fault) for fault in error.faults] == [
        "Line 2, Valid from: “2026-13-01” is not a day. Write it as year, month and day: 2026-11-30.",
        "Line 5, Valid from: “1.1.2026” is not a day. Write it as year, month and day: 2026-11-30.",
        "Line 6, Source value: The line has 4 cells, and 3 columns are named. Put a value with a comma in quotes.",
    ]


def test_import_names_each_line_and_loses_nothing(cast: Cast, signed_in: SignIn):
    mapped(cast, row("ROBOTICS", "800400"))
    client = signed_in(cast.clerk)
    text = TEXT + ",800600,,\r\n"
    answer = client.post(reverse("exceptions:value_mapping_import_propose"), TYPED | {"text": text})
    assert answer.status_code == 422
    shown = text_of(answer)
    assert "Line 2, Target value: This holds already. Leave the row out." in shown
    assert "Line 4, Source value: It is empty. Write the value as the source sends it." in shown
    assert "DRONES,800500,,2026-12-31" in shown
    assert MappingProposal.objects.count() == 1


def test_file_becomes_a_proposal(cast: Cast, signed_in: SignIn):
    file = SimpleUploadedFile("families.csv", TEXT.encode(), content_type="text/csv")
    answer = signed_in(cast.clerk).post(reverse("exceptions:value_mapping_import_propose"), {**TYPED, "file": file})
    proposal = MappingProposal.objects.get()
    assert answer["Location"] == reverse("exceptions:mapping_proposal", args=[proposal.ref])
    assert [written.source_value for written in proposal.rows.order_by("position")] == ["ROBOTICS", "DRONES"]


def test_file_in_another_encoding_is_refused(cast: Cast, signed_in: SignIn):
    file = SimpleUploadedFile("families.csv", "source_value,target_value\nMöbel,1".encode("latin-1"))
    answer = signed_in(cast.clerk).post(reverse("exceptions:value_mapping_import_propose"), {**TYPED, "file": file})
    assert answer.status_code == 422
    assert "The file is not written in UTF-8." in text_of(answer)


def test_import_shows_what_it_mends_before_it_is_proposed(cast: Cast, erp: Connection, signed_in: SignIn):
    case = refused(erp, "4900000001")
    client, address = signed_in(cast.clerk), reverse("exceptions:value_mapping_import_propose")
    looked = client.post(address, TYPED | {"text": TEXT})
    assert looked.status_code == 200
    assert "Propose it with these exceptions" in text_of(looked)
    assert not MappingProposal.objects.exists()
    items = {"items": f"{case.pk}-{case.revision}"}
    assert client.post(address, TYPED | {"text": TEXT} | items).status_code == 302
    batch = MappingProposal.objects.get().batch
    assert batch is not None
    assert batch.count == 1


def test_who_may_not_propose_cannot_import(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.support)
    answer = client.post(reverse("exceptions:value_mapping_import_propose"), TYPED | {"text": TEXT})
    assert answer.status_code == 422
    assert not MappingProposal.objects.exists()


def test_export_reads_back_as_it_was_written(cast: Cast, signed_in: SignIn):
    mapping = mapped(cast, row("=1+1", "-5", begins="2026-01-01"), row('A "b", c', "@x"))
    answer = signed_in(cast.support).get(reverse("exceptions:value_mapping_export", args=[mapping.ref]))
    assert answer["Content-Disposition"] == f'attachment; filename="{mapping.ref}-version-1.csv"'
    text = answer.content.decode()
    assert '"\'=1+1","\'-5",2026-01-01,' in text
    assert list(read_csv(text).rows) == [
        row("=1+1", "-5", begins="2026-01-01"),
        row('A "b", c', "@x"),
    ]
    hidden = signed_in(cast.outsider).get(reverse("exceptions:value_mapping_export", args=[mapping.ref]))
    assert hidden.status_code == 404
