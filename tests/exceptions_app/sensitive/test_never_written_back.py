"""A mask is shown and never saved: not by a form that nobody touched, the API, a bulk run or a whole document."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from exceptions_app.actions.bulk_each import NothingToDo, changes_of
from exceptions_app.actions.correct import correct
from exceptions_app.actions.mover import Invalid
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.form_names import field_name
from exceptions_app.models import Draft, ExceptionCase
from integrations.connectors.base import CorrectionError
from integrations.connectors.en16931 import connector
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.sensitive.planted import CAME_WITH, IS_NOW, MAIL, VALUES, document, given_away
from tests.exceptions_app.views.repair import address, field, latest, take_in
from workbench.models import User

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]
OTHER = "GB29NWBK60161331926819"


class Inputs(HTMLParser):
    """What a browser sends of the form of corrections, as it stands on the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._is_inside, self._name = False, ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = "data-correction" in given
        elif self._is_inside and tag == "input" and given.get("name"):
            self.sent[given["name"]] = given.get("value", "")
        elif self._is_inside and tag == "textarea":
            self._name = given["name"]
            self.sent[self._name] = ""

    def handle_data(self, data: str) -> None:
        if self._name:
            self.sent[self._name] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._name = ""


def typed_into(client: Client, case: ExceptionCase, **values: str) -> dict[str, str]:
    """The whole form with other values in some fields, by term as BT_2."""
    sent = Inputs(client.get(address(case)).content.decode()).sent
    names = {term.replace("_", "-"): value for term, value in values.items()}
    return sent | {input_name(case, term): value for term, value in names.items()} | {"because": "By the order."}


def input_name(case: ExceptionCase, term: str) -> str:
    return field_name(field(case, term).path)


def terms_changed(case: ExceptionCase) -> list[str]:
    return [change["term"] for change in latest(case).changes]


def test_form_that_nobody_touched_keeps_every_masked_value(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    sent = typed_into(clerk, case, BT_2="2026-11-02")
    assert sent[input_name(case, "BT-84")] == "NL••••4567"
    assert "••••@planted.example" in sent[input_name(case, "BT-43")]
    assert "FR••••2606" in sent[input_name(case, "BT-22")]  # an account in free text
    assert clerk.post(address(case, "correct"), sent).status_code == 302
    assert terms_changed(case) == ["BT-2"]
    assert connector.read(bytes(latest(case).content)).field_at(field(case, "BT-84").path).value == CAME_WITH


def test_form_of_who_sees_them_sent_when_the_time_is_over_changes_nothing_either(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    masked = typed_into(clerk, case, BT_2="2026-11-02")
    factories.have_shown(case, cast.clerk)
    clear = typed_into(clerk, case)
    assert clear[input_name(case, "BT-84")] == CAME_WITH
    assert clerk.post(address(case, "correct"), masked).status_code == 302  # typed while masked, sent while shown
    assert terms_changed(case) == ["BT-2"]


def test_new_value_is_typed_over_the_mask_and_kept_when_something_else_is_wrong(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    sent = typed_into(clerk, case, BT_84=OTHER, BT_2="yesterday")
    refused = clerk.post(address(case, "correct"), sent)
    assert refused.status_code == 422
    again = Inputs(refused.content.decode()).sent
    assert again[input_name(case, "BT-84")] == OTHER  # the person's own word, which no document holds
    assert given_away(refused) == []
    assert Draft.objects.get(case=case).typed[input_name(case, "BT-84")] == OTHER
    restored = Inputs(clerk.get(address(case)).content.decode()).sent
    assert restored[input_name(case, "BT-84")] == OTHER
    sent = again | {input_name(case, "BT-2"): "2026-11-02"}
    assert clerk.post(address(case, "correct"), sent).status_code == 302
    assert sorted(terms_changed(case)) == ["BT-2", "BT-84"]
    assert OTHER not in clerk.get(f"{address(case)}?tab=versions").content.decode()  # now the document holds it


@pytest.mark.parametrize("typed", ["DE••••3000", "NL••••4567 ", "••", "Pay to NL••••4567 soon"])
def test_mask_that_was_changed_or_put_elsewhere_is_refused_beside_its_field(cast: Cast, signed_in: SignIn, typed: str):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    refused = clerk.post(address(case, "correct"), typed_into(clerk, case, BT_86=typed))
    assert refused.status_code == 422
    assert "This holds the mask of a value." in refused.context["correction"].errors[input_name(case, "BT-86")][0]
    assert latest(case).number == 1


def test_api_refuses_a_mask_in_every_way_to_correct(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    item = f"/api/v1/exceptions/{case.ref}"
    record = clerk.get(item).json()["record"]["fields"]
    masked = next(found["value"] for found in record if found["term"] == "BT-84")
    path = field(case, "BT-84").path
    text = bytes(latest(case).content).decode().replace(CAME_WITH, masked)
    for way in (
        {"fields": {"BT-84": masked}},
        {"fields": {"BT-2": "2026-11-02", "BT-84": masked}},
        {"changes": [{"field": "BT-84", "was": masked, "will_be": "DE••••3000"}]},
        {"operations": [{"op": "replace", "path": path, "value": masked}]},
        {"payload": {"text": text}},
        {"payload": {"text": text.replace("•", "&#8226;")}},
    ):
        answer = clerk.post(f"{item}/correct", {"base_version": 1, "because": "By mail.", **way}, "application/json")
        assert answer.status_code == 422, way
        assert given_away(answer) == []
    assert latest(case).number == 1


def test_api_takes_a_new_value_in_the_place_of_a_mask(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    change = {"field": "BT-84", "was": "NL••••4567", "will_be": IS_NOW}
    body = {"base_version": 1, "because": "By mail.", "changes": [change]}
    answer = clerk.post(f"/api/v1/exceptions/{case.ref}/correct", body, "application/json")
    assert answer.status_code == 201
    assert given_away(answer) == []
    assert terms_changed(case) == ["BT-84"]


def test_bulk_refuses_a_mask(cast: Cast):
    case = take_in(cast, document())
    way = Instruction(
        kind=BulkKind.SET_VALUE, because="By mail.", term="BT-84", label="Payment account identifier", was=CAME_WITH,
        will_be="DE••••3000",
    )  # fmt: skip
    with pytest.raises(Invalid, match="mask of a value"):
        changes_of(case, bytes(latest(case).content), way)
    assert CAME_WITH not in way.words


def test_whole_document_is_edited_by_who_sees_it_alone(cast: Cast, signed_in: SignIn):
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    page = clerk.get(address(case, "raw"))
    assert given_away(page) == []
    assert "NL••••4567" in page.content.decode()
    assert 'name="payload"' not in page.content.decode()
    masked = {"base_version": "1", "because": "By mail.", "payload": document().decode().replace(MAIL, "q••••@x.nl")}
    refused = clerk.post(address(case, "correct"), masked)
    assert refused.status_code == 422
    factories.have_shown(case, cast.clerk)
    assert 'name="payload"' in clerk.get(address(case, "raw")).content.decode()
    assert latest(case).number == 1


@pytest.mark.parametrize("mask", ["NL••••4567", "NL&#x2022;&#x2022;4567"])
def test_action_refuses_a_mask_whoever_calls_it(cast: Cast, mask: str):
    case = take_in(cast, document())
    payload = document().replace(CAME_WITH.encode(), mask.encode())
    with pytest.raises(CorrectionError, match="mask of a value"):
        correct(case.pk, by=cast.clerk, at=MORNING, because="By mail.", base_version=1, payload=payload)


def test_refusal_that_quotes_the_document_quotes_its_mask(cast: Cast, signed_in: SignIn):
    """In bulk the answer speaks of many exceptions, and of none that the reader asked for by itself."""
    case, clerk = take_in(cast, document()), signed_in(cast.clerk)
    for term in ("BT-43", "BT-86", "BT-91"):  # no check digits tell these
        change = {"field": term, "was": "something else", "will_be": "x"}
        body = {"because": "By mail.", "base_version": 1, "changes": [change]}
        item = {"ref": case.ref, "if_match": "*"}
        alone = clerk.post(f"/api/v1/exceptions/{case.ref}/correct", body, "application/json")
        many = {"action": "correct", "body": body, "items": [item]}
        key = {"Idempotency-Key": f"many-{term}"}
        together = [clerk.post("/api/v1/exceptions/bulk", many, "application/json", headers=key) for _ in range(2)]
        for answer in (alone, *together):
            assert "The field holds" in answer.content.decode()
            assert given_away(answer) == []
    label = field(case, "BT-86").label
    way = Instruction(kind=BulkKind.SET_VALUE, because="By mail.", term="BT-86", label=label, was="x", will_be="y")
    with pytest.raises(NothingToDo) as nothing:
        changes_of(case, bytes(latest(case).content), way)
    assert [value for value in VALUES if value in str(nothing.value)] == []
