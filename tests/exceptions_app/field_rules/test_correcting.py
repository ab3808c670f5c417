"""A field that is not released is changed by nobody who may not, whichever way the change comes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from exceptions_app.actions.bulk_each import judge
from exceptions_app.actions.correct import correct
from exceptions_app.actions.emergencies import take_emergency
from exceptions_app.actions.field_rules import Release
from exceptions_app.actions.playbook_run import outlook
from exceptions_app.actions.translate import translate_again
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.form_names import field_name
from exceptions_app.forms import offered_name
from exceptions_app.models import Draft, ExceptionCase, PayloadVersion, PlaybookVersion
from exceptions_app.playbook_steps import Step, StepKind
from exceptions_app.releases import NotReleased
from exceptions_app.states import Verb
from integrations.connectors.en16931 import connector
from integrations.models import Connection
from tests.cast import MORNING, Cast, give_role, grant, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.bulk_runs.runs import carry_on, field_of, outcomes, start
from tests.exceptions_app.field_rules.ruled import asked, ended, in_force
from tests.exceptions_app.handover.handing_over import erp
from tests.exceptions_app.handover.mapping import held_by_the_map
from tests.exceptions_app.handover.mapping import mend as mend_map
from tests.exceptions_app.precedents.resolved import RIGHT, TERM, resolved
from tests.exceptions_app.precedents.resolved import refused as with_precedent
from tests.exceptions_app.value_mappings.refused import refused
from tests.exceptions_app.value_mappings.test_mends import found
from tests.exceptions_app.views.repair import address, correction, field, latest, mend, page, take_in, text_of
from tests.invoices import valid_invoice, without_issue_date
from workbench.models import User

__all__ = ["api", "erp"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
IBAN = "DE89370400440532013000"


def changed(case: ExceptionCase, by: User, **values: str) -> PayloadVersion:
    content = bytes(latest(case).content)
    wanted = {field(case, term.replace("_", "-")).path: value for term, value in values.items()}
    return correct(
        case.pk, by=by, at=MORNING, because="As ordered.", base_version=latest(case).number,
        operations=connector.operations_for(content, wanted),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "refused_terms"),
    [
        ([], []),
        ([asked(field="BT-10")], ["BT-10"]),
        ([asked(field="Buyer reference")], ["BT-10"]),
        ([asked(5, who="everybody", field="BT-10"), asked()], ["BT-84", "BT-115"]),
        ([asked(5), asked(3, who="everybody", sort="amount")], ["BT-10", "BT-84"]),
        ([asked(sort="amount")], ["BT-115"]),
        ([asked(sort="bank", roles=("controller",))], ["BT-84"]),
        ([asked(sort="bank", roles=("clerk", "controller"))], []),
        ([asked(part="Totals")], ["BT-115"]),
        ([asked(part="Totals", sort="bank"), asked(object_type="credit_note")], []),
    ],
)
def test_first_rule_that_fits_a_field_decides(cast: Cast, rules: list[Release], refused_terms: list[str]):
    case = take_in(cast)
    for rule in rules:
        in_force(cast, rule)
    values = {"BT-10": "NL-7", "BT-84": IBAN, "BT-115": "7.00"}
    if not refused_terms:
        assert {one["term"] for one in changed(case, cast.clerk, **_as_names(values)).changes} >= set(values)
        return
    with pytest.raises(NotReleased) as refusal:
        changed(case, cast.clerk, **_as_names(values))
    assert {one.field.term for one in refusal.value.closed} == set(refused_terms)
    assert latest(case).number == 1
    changed(case, cast.clerk, BT_2="2026-11-01") if asked() not in rules and asked(5) not in rules else None


def _as_names(values: dict[str, str]) -> dict[str, str]:
    return {term.replace("-", "_"): value for term, value in values.items()}


def test_rule_is_of_its_queue_and_ends(cast: Cast):
    case = take_in(cast)
    in_force(cast, asked(queue=cast.holds))
    changed(case, cast.clerk, BT_10="NL-7")
    rule = in_force(cast, asked(queue=cast.einvoicing))
    with pytest.raises(NotReleased, match=rf"“Buyer reference \(BT-10\)” is not released for you. .*{rule.ref}"):
        changed(case, cast.clerk, BT_10="NL-8")
    ended(cast, rule)
    changed(case, cast.clerk, BT_10="NL-8")


def test_role_counts_that_a_person_has_or_took_there_for_an_hour(cast: Cast):
    case, nora = take_in(cast), person("nora", "Nora Night")
    grant(nora, [Verb.SEE, Verb.CORRECT, Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    in_force(cast, asked(field="BT-10", roles=("clerk",)))
    with pytest.raises(NotReleased):
        changed(case, nora, BT_10="NL-7")
    take_emergency(
        cast.einvoicing, cast.netherlands, role="clerk", minutes=30, by=nora, at=now(), because="It cannot wait."
    )
    nora.refresh_from_db()
    content = bytes(latest(case).content)
    steps = connector.operations_for(content, {field(case, "BT-10").path: "NL-7"})
    version = correct(case.pk, by=nora, at=now(), because="As ordered.", base_version=1, operations=steps)
    assert version.number == 2
    ExceptionCase.objects.filter(pk=case.pk).update(assignee=None)
    changed(case, cast.clerk, BT_10="NL-8")


def test_form_shows_it_for_reading_and_names_it_when_it_is_sent(cast: Cast, signed_in: SignIn):
    case, client = take_in(cast), signed_in(cast.clerk)
    name = field_name(field(case, "BT-10").path)
    before = page(client, case)
    assert "readonly" not in before
    rule = in_force(cast, asked(field="BT-10", roles=("controller",)))
    html = page(client, case)
    assert f"Not released for you. It takes the role controller ({rule.ref})." in text_of(html)
    assert html.count("readonly") == 1
    sent = correction(case, BT_10="NL-7", BT_2="2026-11-01")
    refused_page = client.post(address(case, "correct"), sent)
    assert (refused_page.status_code, latest(case).number) == (403, 1)
    form = refused_page.context["correction"]
    assert list(form.errors) == [name]
    assert "“Buyer reference (BT-10)” is not released for you." in form.errors[name][0]
    assert Draft.objects.get(case=case).typed[name] == "NL-7"  # nothing that was typed is lost
    assert "readonly" not in refused_page.content.decode()  # and it can be taken out again
    assert client.post(address(case, "correct"), correction(case, BT_2="2026-11-01")).status_code == 302
    give_role(cast.clerk, "controller")
    assert "readonly" not in page(client, case)


def test_whole_document_is_judged_by_what_it_changes(cast: Cast, signed_in: SignIn):
    case, client = take_in(cast), signed_in(cast.clerk)
    in_force(cast, asked(sort="bank"))
    in_force(cast, asked(20, field="BT-10"))
    text = bytes(latest(case).content).decode()
    iban, reference = field(case, "BT-84").value or "", field(case, "BT-10").value or ""
    beside = f"<cac:PayeeFinancialAccount><cbc:ID>{IBAN}</cbc:ID></cac:PayeeFinancialAccount>"
    for other, named in (
        (text.replace(iban, IBAN), "BT-84"),
        (text.replace(reference, "NL-7"), "BT-10"),
        (text.replace("</cac:AccountingCustomerParty>", f"</cac:AccountingCustomerParty>{beside}", 1), "beside the fi"),
    ):
        assert other != text
        with pytest.raises(NotReleased, match=named):
            correct(case.pk, by=cast.clerk, at=MORNING, because="x", base_version=1, payload=other.encode())
    grant(cast.clerk, [Verb.REVEAL], cast.einvoicing, cast.netherlands)
    sent = {"base_version": "1", "because": "As ordered.", "payload": text.replace(reference, "NL-7")}
    answer = client.post(address(case, "correct"), sent)
    assert (answer.status_code, list(answer.context["correction"].errors)) == (403, ["payload"])
    free = text.replace("</cbc:InvoiceTypeCode>", "</cbc:InvoiceTypeCode><!-- seen -->", 1).encode()
    assert correct(case.pk, by=cast.clerk, at=MORNING, because="x", base_version=1, payload=free).number == 2


def test_api_names_every_field(cast: Cast, api: Callable[[User], Api]):
    case = take_in(cast)
    in_force(cast, asked(field="BT-10", roles=("controller",)))
    in_force(cast, asked(20, sort="amount"))
    body = {"base_version": 1, "because": "x", "fields": {"BT-10": "NL-7", "BT-115": "7.00", "BT-2": "2026-11-01"}}
    answer = api(cast.clerk).post(f"exceptions/{case.ref}/correct", body)
    told = answer.json()
    assert (answer.status_code, told["type"].rpartition("#")[2]) == (403, "not-permitted")
    assert [(one["term"], one["field"]) for one in told["errors"]] == [
        ("BT-10", "Buyer reference"), ("BT-115", "Amount due for payment")
    ]  # fmt: skip
    assert "It takes the role controller" in told["detail"]
    body["fields"] = {"BT-2": "2026-11-01"}
    assert api(cast.clerk).post(f"exceptions/{case.ref}/correct", body).status_code == 201


def test_many_are_told_so_in_the_preview_and_each_by_itself_in_the_run(cast: Cast):
    case, other = (
        take_in(cast),
        take_in(cast, external_id="message-2", payload=without_issue_date(valid_invoice("INV-2"))),
    )
    one = field_of(case, "BT-10")
    wanted: dict[str, Any] = {
        "term": "BT-10", "label": one.label, "was": one.value or "", "will_be": "NL-7", "because": "Moved."
    }  # fmt: skip
    instruction = Instruction(kind=BulkKind.SET_VALUE, **wanted)
    assert [verdict.refusal for verdict in judge([case, other], instruction, by=cast.clerk)] == ["", ""]
    with CaptureQueriesContext(database) as without:  # now that the places of both are read
        judge([case, other], instruction, by=cast.clerk)
    run = start([case, other], by=cast.clerk, kind=BulkKind.SET_VALUE, **wanted)
    in_force(cast, asked(field="BT-10", roles=("controller",)))
    with CaptureQueriesContext(database) as seen:
        verdicts = judge([case, other], instruction, by=cast.clerk)
    assert len(seen) == len(without) + 1  # the roles, however many exceptions
    assert all("It takes the role controller" in verdict.refusal for verdict in verdicts)
    found_outcomes = outcomes(carry_on(run))
    assert [state for state, _ in found_outcomes] == ["failed", "failed"]
    assert all("is not released for you" in detail for _, detail in found_outcomes)


def test_playbook_says_which_step_cannot_be_done(cast: Cast):
    case = take_in(cast)
    step = Step(kind=StepKind.SET_VALUE, field="Issue date", value="2026-11-02")
    version = PlaybookVersion(steps=[step.kept()], pk=1)
    assert outlook(case.pk, version, by=cast.clerk, at=MORNING)[0].refusal == ""
    in_force(cast, asked(sort="date"))
    assert "“Issue date (BT-2)” is not released" in outlook(case.pk, version, by=cast.clerk, at=MORNING)[0].refusal


def test_suggestion_for_it_is_not_offered_nor_taken(cast: Cast, signed_in: SignIn):
    case = with_precedent(cast)
    for _ in range(2):
        resolved(cast, case.cause, RIGHT)
    name = field_name(field(case, TERM).path)
    in_force(cast, asked(field=TERM))
    html = page(signed_in(cast.clerk), case)
    assert offered_name(name) not in html
    sent = {**correction(case), name: RIGHT, offered_name(name): RIGHT}
    assert signed_in(cast.clerk).post(address(case, "correct"), sent).status_code == 403
    assert latest(case).number == 1


def test_values_of_mappings_are_released_unless_nobody_may_change_the_field(cast: Cast, erp: Connection):
    refused(erp, "4900000001")
    in_force(cast, asked(field="G/L account", roles=("controller",)))
    assert [one.refusal for one in found(cast, erp)] == [""]
    in_force(cast, asked(5, part="Line"))
    [mend_now] = found(cast, erp)
    assert "“G/L account” is not released for you. Nobody changes it here" in mend_now.refusal


@pytest.mark.django_db(transaction=True)
def test_maps_of_two_people_are_released_unless_nobody_may_change_the_field(cast: Cast, erp: Connection):
    case = held_by_the_map(erp)
    mend_map(erp)
    rule = in_force(cast, asked(part="Line"))
    with pytest.raises(NotReleased, match="Product family"):
        translate_again(case.pk, by=cast.clerk, at=MORNING)
    ended(cast, rule)
    in_force(cast, asked(part="Line", roles=("controller",)))
    content = json.loads(bytes(translate_again(case.pk, by=cast.clerk, at=MORNING).content))
    assert content["lines"][1]["product_family"] == "HARDWARE"


@pytest.mark.django_db(transaction=True)
def test_rule_that_comes_into_force_meanwhile_counts_or_comes_after(cast: Cast):
    """Whichever is first: no version changes the field that was written after the rule was in force."""
    case = take_in(cast)

    def rule() -> object:
        return in_force(cast, asked(field="BT-2"))

    found_now = at_the_same_time([rule, lambda: mend(case, by=cast.clerk)])
    assert latest(case).number == (1 if isinstance(found_now[1], NotReleased) else 2)
    with pytest.raises(NotReleased):
        mend(case, by=cast.clerk, date="2026-11-05")


@pytest.mark.parametrize("number", [0, 1, 3])
def test_rules_cost_one_query_and_one_for_roles(cast: Cast, signed_in: SignIn, number: int):
    case = take_in(cast)
    for place in range(number):
        in_force(cast, asked(10 + place, field="BT-10", roles=("controller",)))
    with CaptureQueriesContext(database) as seen:
        mend(case, by=cast.clerk)
    assert len([one for one in seen if "fieldrule" in one["sql"]]) == 1
    client = signed_in(cast.clerk)
    page(client, case)
    with CaptureQueriesContext(database) as seen:
        page(client, case)
    asking = [one["sql"] for one in seen if "fieldrule" in one["sql"]]
    assert len(asking) == 1
