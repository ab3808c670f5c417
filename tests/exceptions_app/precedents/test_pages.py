"""A suggestion beside its field: it fills the field when it is asked to, and what came of it is counted."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app.form_names import field_name
from exceptions_app.forms import offered_name
from exceptions_app.models import ExceptionCase, PayloadVersion, Suggestion
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.suggestion_rates import rates_of
from tests.cast import Cast
from tests.exceptions_app.precedents.resolved import LABEL, RIGHT, TERM, WRONG, refused, resolved
from tests.exceptions_app.views.repair import address, correction, field, page, text_of, typed_in


@pytest.fixture
def case(cast: Cast) -> ExceptionCase:
    """With a suggestion."""
    found = refused(cast)
    for _ in range(2):
        resolved(cast, found.cause, RIGHT)
    return found


def name_of(case: ExceptionCase) -> str:
    return field_name(field(case, TERM).path)


def sent(case: ExceptionCase, value: str, **more: str) -> dict[str, str]:
    name = name_of(case)
    return {**correction(case), name: value, offered_name(name): RIGHT, **more}


def test_suggestion_stands_beside_the_field_and_fills_nothing(cast, signed_in, case):
    html = page(signed_in(cast.clerk), case)
    words = text_of(html)
    assert f"2 of 2 resolved exceptions with this problem: {WRONG} → {RIGHT}" in words
    assert f"Use {RIGHT}" in words
    assert typed_in(html, name_of(case)) == WRONG
    assert typed_in(html, offered_name(name_of(case))) == RIGHT


def test_suggestion_is_not_shown_to_those_who_may_not_correct(cast, signed_in, case):
    assert "resolved exceptions with this problem" not in text_of(page(signed_in(cast.support), case))


def test_button_fills_the_field_without_a_script_and_saves_nothing(cast, signed_in, case):
    data = sent(case, WRONG, use=name_of(case)) | {"because": "Half a rea"}
    answer = signed_in(cast.clerk).post(address(case, "correct"), data)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert typed_in(html, name_of(case)) == RIGHT
    assert "Half a rea</textarea>" in html
    assert "is filled in and not saved yet" in text_of(html)
    assert PayloadVersion.objects.filter(case=case).count() == 1


@pytest.mark.parametrize(("value", "accepted"), [(RIGHT, True), ("KGM", False)])
def test_what_was_made_of_it_is_written_with_the_version(cast, signed_in, case, value, accepted):
    assert signed_in(cast.clerk).post(address(case, "correct"), sent(case, value)).status_code == 302
    one = Suggestion.objects.get()
    assert (one.case, one.version.number, one.label, one.was) == (case, 2, LABEL, WRONG)
    assert (one.value, one.agreeing, one.of, one.accepted) == (RIGHT, 2, 2, accepted)
    event = next(event for event in timeline(case.subject) if event.action == "case.corrected")
    told = event.data["suggestions"]
    assert [item["accepted"] for item in told] == [accepted]


def test_value_that_was_declined_stays_out_of_the_trail(cast, signed_in, case):
    other = refused(cast, "INV-1002")
    client = signed_in(cast.clerk)
    for one, value in ((case, "KGM"), (other, RIGHT)):
        assert client.post(address(one, "correct"), sent(one, value)).status_code == 302
    declined, accepted = (
        event.data["suggestions"][0]
        for one in (case, other)
        for event in timeline(one.subject)
        if event.action == "case.corrected"
    )
    assert "suggested" not in declined
    assert RIGHT not in str(declined)
    assert accepted["suggested"] == RIGHT


def test_field_that_was_left_as_it_was_decides_nothing(cast, signed_in, case):
    data = sent(case, WRONG) | {field_name(field(case, "BT-10").path): "PO-77"}
    assert signed_in(cast.clerk).post(address(case, "correct"), data).status_code == 302
    assert Suggestion.objects.count() == 0


@pytest.mark.parametrize("offered", ["KGM", ""])
def test_suggestion_that_was_never_made_is_not_counted(cast, signed_in, case, offered):
    data = sent(case, "KGM") | {offered_name(name_of(case)): offered}
    assert signed_in(cast.clerk).post(address(case, "correct"), data).status_code == 302
    assert Suggestion.objects.count() == 0


def test_suggestions_cost_the_page_one_query(cast, signed_in):
    case, client = refused(cast), signed_in(cast.clerk)
    page(client, case)
    with CaptureQueriesContext(connection) as captured:
        page(client, case)
    assert sum("jsonb_path_query_array" in query["sql"] for query in captured) == 1


def test_rates_are_shown_to_those_who_see_the_exceptions(cast, signed_in, case):
    client = signed_in(cast.clerk)
    assert "No suggestion was decided on yet" in text_of(client.get("/suggestions/").content.decode())
    client.post(address(case, "correct"), sent(case, RIGHT))
    words = text_of(client.get("/suggestions/").content.decode())
    assert "1 of 1 suggestions were accepted, 100 %." in words
    assert f"{LABEL} Invoice Tax authority 1 0 100 %" in words
    assert "No suggestion was decided on yet" in text_of(signed_in(cast.outsider).get("/suggestions/").content.decode())


@pytest.mark.parametrize("number", [1, 3])
def test_rates_are_read_in_one_query(cast, signed_in, case, django_assert_num_queries, number):
    for count in range(number):
        again = refused(cast, f"INV-200{count}")
        signed_in(cast.clerk).post(address(again, "correct"), sent(again, RIGHT if count else "KGM"))
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(1):
        rate = rates_of(reach)[0]
    assert (rate.accepted, rate.declined, rate.percent) == (number - 1, 1, round(100 * (number - 1) / number))


def test_what_was_written_about_a_suggestion_stays(cast, signed_in, case):
    signed_in(cast.clerk).post(address(case, "correct"), sent(case, "KGM"))
    with pytest.raises(IntegrityError, match="rows of this table are never changed"), transaction.atomic():
        Suggestion.objects.update(accepted=True)
