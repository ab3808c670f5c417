"""Corrections by who reads German: decimals with a comma all the way, whoever else types them with a point."""

from datetime import timedelta

from django.utils import translation

from exceptions_app.actions import work
from exceptions_app.form_names import field_name
from exceptions_app.forms import offered_name
from tests.cast import MORNING
from tests.exceptions_app.views.repair import (
    BROKEN,
    address,
    correction,
    field,
    latest,
    mend,
    page,
    take_in,
    text_of,
    typed_in,
    with_value,
)
from tests.german_pages import GERMAN

LATER = MORNING + timedelta(hours=1)


def test_two_who_typed_the_same_amount_in_their_own_notations_did_not_both_change_it(cast, signed_in):
    case = take_in(cast)
    was = (field(case, "BT-112").value or "").replace(".", ",")
    same = correction(case, BT_112="1428,00", BT_10="PO-77")
    other = correction(case, BT_112="1500,00", BT_10="PO-77")
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_112="1428.00"))
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    client = signed_in(cast.clerk)
    words = text_of(client.post(address(case, "correct"), same, **GERMAN).content.decode())
    label = "Gesamtbetrag mit Umsatzsteuer (BT-112)"
    assert f"{label} {was} Anderen Wert übernehmen: 1428,00 Meinen Wert behalten: 1428,00" in words
    words = text_of(client.post(address(case, "correct"), other, **GERMAN).content.decode())
    assert f"{label} Das haben Sie beide geändert. {was}" in words
    saved = {"base_version": "2", "because": "Verglichen.", field_name(field(case, "BT-112").path): "1500,00"}
    assert client.post(address(case, "correct"), saved, **GERMAN).status_code == 302
    assert (latest(case).number, field(case, "BT-112").value) == (3, "1500.00")


def test_comparison_says_in_german_who_saved_what_and_why_it_cannot_be_saved(cast, signed_in):
    case = take_in(cast)
    mine = correction(case, BT_112="1500,00")
    signed_in(cast.second_clerk).post(address(case, "correct"), correction(case, BT_112="1428.00"))
    words = text_of(signed_in(cast.clerk).post(address(case, "correct"), mine, **GERMAN).content.decode())
    assert "Cem Clerk hat Version 2 gespeichert" in words
    assert ": Gesamtbetrag mit Umsatzsteuer" in words
    assert "Cem Clerk arbeitet daran." in words


def test_proposed_value_is_filled_in_with_a_comma_with_and_without_a_script(cast, signed_in):
    case = take_in(cast, with_value(BROKEN, "BT-112", "1.00"))
    client, name = signed_in(cast.clerk), field_name(field(case, "BT-112").path)
    english = page(client, case, f"?use={name}")
    german = client.get(f"{address(case)}?use={name}", **GERMAN).content.decode()
    right = typed_in(english, name)
    assert right not in (None, "", "1.00")
    assert typed_in(german, name) == right.replace(".", ",")
    assert german.count(f'data-use-value="{right.replace(".", ",")}"') == english.count(f'data-use-value="{right}"') > 1


def test_suggested_value_with_three_decimals_can_be_saved_as_it_was_filled_in(cast, signed_in):
    case = take_in(cast)
    client, name = signed_in(cast.clerk), field_name(field(case, "BT-152").path)
    sent = correction(case) | {offered_name(name): "12.345"}
    filled = client.post(address(case, "correct"), sent | {"use": name}, **GERMAN).content.decode()
    assert typed_in(filled, name) == "12,3450"
    assert client.post(address(case, "correct"), sent | {name: "12,3450"}, **GERMAN).status_code == 302
    assert field(case, "BT-152").value == "12.3450"


def changed(answer, language: str) -> list[str]:
    """The terms of the fields that the form takes for changed."""
    form = answer.context["correction"]
    with translation.override(language):
        return [found.term for name, found in form.record_fields.items() if form.differs(name)]


def test_draft_is_the_same_numbers_in_the_other_language(cast, signed_in):
    case = take_in(cast, with_value(BROKEN, "BT-152", "1.250"))
    client = signed_in(cast.clerk)
    total, rate = (field_name(field(case, term).path) for term in ("BT-112", "BT-152"))
    html = client.get(address(case), **GERMAN).content.decode()
    sent = {name: typed_in(html, name) or "" for name in correction(case) if typed_in(html, name) is not None}
    assert sent[rate] == "1,250"
    sent |= {"base_version": "1", "because": "", total: "1500,50"}
    assert client.post(address(case, "draft"), sent, **GERMAN).status_code == 204
    english = client.get(address(case))
    assert (typed_in(english.content.decode(), total), changed(english, "en")) == ("1500.50", ["BT-112"])
    german = client.get(address(case), **GERMAN)
    assert (typed_in(german.content.decode(), total), changed(german, "de")) == ("1500,50", ["BT-112"])

    sent = correction(case, because="", BT_112="1600.50")
    assert client.post(address(case, "draft"), sent).status_code == 204
    german = client.get(address(case), **GERMAN)
    assert (typed_in(german.content.decode(), total), changed(german, "de")) == ("1600,50", ["BT-112"])


def test_draft_of_an_older_version_is_compared_in_the_readers_notation(cast, signed_in):
    case = take_in(cast)
    client, sent = signed_in(cast.clerk), correction(case, because="", BT_112="1600.50")
    assert client.post(address(case, "draft"), sent).status_code == 204
    mend(case, by=cast.second_clerk)
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    words = text_of(client.get(address(case) + "draft/compare/", **GERMAN).content.decode())
    assert "Meinen Wert behalten: 1600,50" in words
    assert words.count("Meinen Wert behalten:") == 1
    refused = sent | {"base_version": "2", "because": "", field_name(field(case, "BT-112").path): "1.750"}
    assert client.post(address(case, "correct"), refused, **GERMAN).status_code == 422
    html = client.get(address(case), **GERMAN).content.decode()
    assert (typed_in(html, field_name(field(case, "BT-112").path)) or "").strip() == "1.750", "nothing is guessed"
