"""Which fields are masked, of every connector, and how much of each value is left."""

from html import escape

import pytest

from exceptions_app.field_classes import FieldClass, class_of, is_sensitive, mask, sensitive_values
from exceptions_app.source_text import masked_text
from exceptions_app.veil import Veil
from integrations.connectors.en16931 import connector as invoices
from integrations.connectors.erp_master.terms import TERMS as PARTNER_TERMS
from integrations.connectors.iso20022 import connector as payments
from tests.exceptions_app.sensitive.planted import BIC, CONTACT, MANDATE, VALUES, document
from tests.integrations.connectors.iso20022.payment_files import payment_file, wires

BANK, PERSONAL = FieldClass.BANK, FieldClass.PERSONAL
_CONTACT_DETAILS = b"<CtctDtls><Nm>Quirina Zonneveld</Nm><EmailAdr>q@planted.example</EmailAdr></CtctDtls>"
_PRIVATE = b"<Id><PrvtId><Othr><Id>BSN-111222333</Id><SchmeNm><Cd>NIDN</Cd></SchmeNm></Othr></PrvtId></Id>"


def test_every_bank_detail_and_person_of_an_invoice_is_declared():
    fields = invoices.read(document()).fields
    declared = {field.term: class_of(field.path, term=field.term) for field in fields if field.term}
    assert {term for term, found in declared.items() if found is BANK} == {
        "BT-84", "BT-86", "BT-87", "BT-89", "BT-90", "BT-91",
    } & declared.keys()  # fmt: skip
    assert {term for term, found in declared.items() if found is PERSONAL} <= {
        "BT-41", "BT-42", "BT-43", "BT-56", "BT-57", "BT-58", "BT-88",
    }  # fmt: skip
    assert {"BT-41", "BT-42", "BT-43", "BT-84", "BT-89", "BT-91"} <= declared.keys()
    by_path = {field.term: class_of(field.path) for field in fields if field.term in declared}
    assert {term: found for term, found in by_path.items() if term != "BT-90"} == {
        term: found for term, found in declared.items() if term != "BT-90"
    }


def test_every_account_and_bank_of_a_payment_is_declared_and_no_more():
    content = payment_file(*wires(1))
    classes = {field.label: class_of(field.path, term=field.term) for field in payments.read(content).fields}
    masked = {label for label, found in classes.items() if found is not FieldClass.INTERNAL}
    assert masked == {"Payee's account (IBAN)", "Payee's bank (BIC)", "Our account (IBAN)", "Our bank (BIC)"}
    assert class_of("", term="CdtrAcct/Id/Othr/Id") is BANK


def test_bank_of_a_supplier_is_declared_and_its_name_is_not():
    classes = {name: class_of(f"/{name}", term=name) for name in PARTNER_TERMS}
    assert {name for name, found in classes.items() if found is BANK} == {"iban", "bic"}
    assert classes["name"] is FieldClass.INTERNAL


def test_what_stands_beside_the_fields_of_a_form_is_known_too():
    content = payment_file(*wires(1)).replace(b"</Nm>", b"</Nm>" + _PRIVATE + _CONTACT_DETAILS, 1)
    values = sensitive_values(content) or {}
    assert values["Quirina Zonneveld"] is values["q@planted.example"] is values["BSN-111222333"] is PERSONAL
    assert "NIDN" not in values
    assert sensitive_values(b'{"iban": "NL20INGB0001234567", "access_token": "tok-1", "name": "Acme"}') == {
        "NL20INGB0001234567": BANK, "tok-1": FieldClass.SECRET,
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"\xff\xfe\x00 no document", b"<Invoice><ID>", b"{"])
def test_what_cannot_be_read_counts_as_sensitive(content: bytes):
    assert sensitive_values(content) is None
    assert is_sensitive(content)


@pytest.mark.parametrize(
    ("value", "field_class", "shown"),
    [
        ("NL20 INGB 0001 2345 67", BANK, "NL••••4567"),
        ("BE68539007547043", BANK, "BE••••7043"),  # mistyped
        ("INGBNL2A", BANK, "••••NL"),
        ("4111111111111111", BANK, "••••1111"),
        ("1234567", BANK, "••••67"),
        ("12345", BANK, "••••"),
        ("quirina@planted.example", PERSONAL, "q••••@planted.example"),
        ("q@planted.example", PERSONAL, "••••@planted.example"),
        ("+31 20 5550917", PERSONAL, "••••17"),
        ("Quirina Zonneveld", PERSONAL, "Q••••"),
        ("Li", PERSONAL, "••••"),
        ("tok-1234567890", FieldClass.SECRET, "••••"),
        ("Van Loon Koeltechniek B.V.", FieldClass.INTERNAL, "Van Loon Koeltechniek B.V."),
        ("", BANK, ""),
    ],
)
def test_mask_keeps_what_one_knows_it_by(value: str, field_class: FieldClass, shown: str):
    assert mask(value, field_class) == shown


def test_page_is_masked_in_its_words_and_inputs_and_stays_a_page():
    veil = Veil({"main": PERSONAL, CONTACT: PERSONAL, "a&b": BANK})
    page = '<main class="main"><p title="main">Quirina O&#x27;Zonneveld, a&amp;b</p><input name="main" value="main">'
    assert veil.html(page) == (
        '<main class="main"><p title="m••••">Q••••, ••••</p><input name="main" value="m••••">'
    )  # fmt: skip


def test_secrets_stay_masked_for_who_has_the_rest_shown():
    veil = Veil({"tok-1234": FieldClass.SECRET, BIC: BANK}, shows=True)
    assert veil.text(f"tok-1234 {BIC}") == f"•••• {BIC}"


def test_piece_of_a_document_is_masked_by_the_names_around_its_values():
    text = document().decode()
    piece = text[: text.index(MANDATE) + 5]
    masked = masked_text(piece)
    assert [value for value in VALUES if value in masked] == []  # but for what a free text repeats of a name
    assert f"{escape(CONTACT)}</cbc:Name>" not in masked
    assert "Van Loon Koeltechniek B.V." in masked
    assert "NL••••4567" in masked_text(text, whole=document())
