"""A document that the target has already: the same content ends the matter, other content is shown beside ours."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from exceptions_app.actions.correct import correct
from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.queries.case_page import read_case_page
from exceptions_app.queries.conflicts import Match, Why, conflict_of_case, conflicts_of
from exceptions_app.states import State
from integrations import outbox
from integrations.connectors.erp import connector
from integrations.connectors.held import LARGEST
from integrations.models import Connection, Delivery, DeliveryAnswer, DeliveryAttempt
from tests.arrivals import approve_open, configure, propose, replay
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import Api, api, conforms, schema
from tests.exceptions_app.delivering import submission, work_until_done
from tests.exceptions_app.handover.handing_over import document, run
from tests.exceptions_app.paying import give_account
from tests.exceptions_app.paying import hand_in as hand_in_payments
from tests.exceptions_app.test_comparison import compared
from tests.exceptions_app.test_erp_replays import WITHOUT_COST_CENTER, fill_in_cost_center, take_in
from tests.factories import make_case
from tests.integrations.connectors.erp.postings import customer_invoice, journal
from tests.integrations.connectors.iso20022.payment_files import IBANS, Wire, payment_file
from tests.invoices import valid_invoice
from tests.simulator_process import RunningSimulator
from workbench.models import User

__all__ = ["api", "conforms", "schema"]
pytestmark = pytest.mark.django_db(transaction=True)

As = Callable[[User], Api]
SignedIn = Callable[[User], Client]
ROWS = json.loads(journal())["lines"]
OURS = journal()
# Another amount, another text, one line more, and no text of the line.
THEIRS = journal(
    text="Accrual of November",
    lines=[
        {**ROWS[0], "debit": "1300.00"},
        {**ROWS[1], "text": None, "credit": "1250.00"},
        {"account": "190000", "credit": "50.00"},
    ],
)


@pytest.fixture
def erp(cast: Cast, connected: None, simulator: RunningSimulator) -> Connection:
    """The cast's connection leads to an ERP that takes each reference once."""
    simulator.change_erp(deduplicate_references=True)
    return configure(cast.connection, connector="erp", target_url=simulator.erp_url)


def post(simulator: RunningSimulator, content: bytes) -> str:
    """Booked by somebody else; its document number."""
    answer = simulator.post("/erp/postings", content, Content_Type="application/json", Idempotency_Key="somebody-else")
    assert answer.status_code == 201, answer.text
    [effect] = simulator.effects
    return f"{effect['document']}/{effect['fiscal_year']}"


def sent_into(cast: Cast, simulator: RunningSimulator, there: bytes) -> tuple[ExceptionCase, str]:
    """A corrected and approved journal whose reference somebody has used meanwhile."""
    case = take_in(cast, simulator, WITHOUT_COST_CENTER)
    fill_in_cost_center(case, by=cast.clerk)
    reference = post(simulator, there)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()
    return case, reference


def posts_to(simulator: RunningSimulator) -> int:
    return len(simulator.attempts)


def page_of(browser: Client, case: ExceptionCase) -> Any:
    return browser.get(reverse("exceptions:case", args=[case.ref]))


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_same_content_closes_without_a_resend(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case, reference = sent_into(cast, simulator, OURS)

    assert (case.state, case.outcome, case.reference) == (State.RESOLVED, "already_there", reference)
    assert [attempt.phase for attempt in submission(case).attempts.order_by("pk")] == ["send", "compare"]
    before = posts_to(simulator)
    work_until_done()
    assert (posts_to(simulator), len(simulator.effects)) == (before, 1)


def test_other_content_is_shown_beside_ours(cast: Cast, erp: Connection, simulator: RunningSimulator, api: As,
                                            conforms: Callable[[Any, str], None]):  # fmt: skip
    case, reference = sent_into(cast, simulator, THEIRS)

    assert (case.state, submission(case).state) == (State.IN_PROGRESS, "conflict")
    body = api(cast.clerk).get(f"exceptions/{case.ref}").json()
    conforms(body, "ExceptionDetail")
    conflict = body["conflict"]
    [held] = conflict["held"]
    assert (conflict["reference"], conflict["why_not_shown"], conflict["ours"]["version"]) == (reference, "", 2)
    assert (held["reference"], held["shows"], conflict["held_count"]) == (reference, "whole", 1)
    different = [field for field in held["fields"] if field["match"] not in ("same", "not_told")]
    assert held["fields"][: len(different)] == different
    assert {field["path"]: (field["match"], field["ours"], field["theirs"]) for field in different} == {
        "/text": ("differs", "Accrual November", "Accrual of November"),
        "/lines/0/debit": ("differs", "1250.00", "1300.00"),
        "/lines/1/text": ("only_ours", "Accrued liabilities", None),
        "/lines/2/account": ("only_theirs", None, "190000"),
        "/lines/2/credit": ("only_theirs", None, "50.00"),
    }
    assert held["counts"]["same"] == sum(field["match"] == "same" for field in held["fields"]) > 5


def test_page_shows_both_sides_with_currency_and_what_to_do_next(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: SignedIn
):
    case, reference = sent_into(cast, simulator, THEIRS)

    page = page_of(signed_in(cast.clerk), case)
    text = text_of(page)
    assert page.context["sections"][0] == "exceptions/_case_held.html"
    for shown in ("What the ERP holds, beside ours", "1,250.00 EUR", "1,300.00 EUR", "Only at the ERP",
                  "Not at the ERP", "5 fields differ", "against version 2", reference):  # fmt: skip
        assert shown in text
    for step in page.context["held_steps"]:
        place = step.url.removeprefix("#")
        assert step.url.endswith("?tab=attempts#case-history") or f'id="{place}"' in text
    assert [step.label for step in page.context["held_steps"]] == [
        "Correct", "Propose replay", "Propose dismissal", "Show the answer",
    ]  # fmt: skip


def test_reader_who_may_do_nothing_is_offered_nothing_but_the_answer(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: SignedIn
):
    case, _ = sent_into(cast, simulator, THEIRS)
    page = page_of(signed_in(cast.auditor), case)
    assert [step.label for step in page.context["held_steps"]] == ["Show the answer"]
    assert page_of(signed_in(cast.outsider), case).status_code == 404


def test_correction_to_what_is_there_closes_without_a_resend(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case, reference = sent_into(cast, simulator, journal(text="Accrual of November"))
    content = bytes(PayloadVersion.objects.get(case=case, number=2).content)
    steps = connector.operations_for(content, {"/text": "Accrual of November"})
    correct(case.pk, by=cast.clerk, at=MORNING, because="As it is booked.", base_version=2, operations=steps)
    found = conflict_of_case(read_case_page(ExceptionCase.objects.get(pk=case.pk), cast.clerk))
    assert found is not None
    assert (found.ours.version, found.documents[0].different) == (3, 0)

    before = posts_to(simulator)
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()
    assert (case.state, case.outcome, case.reference) == (State.RESOLVED, "already_there", reference)
    assert posts_to(simulator) == before
    assert conflict_of_case(read_case_page(case, cast.clerk)) is None


def test_money_of_another_currency_differs(cast: Cast, erp: Connection, simulator: RunningSimulator):
    case, _ = sent_into(cast, simulator, journal(currency="USD"))
    found = conflict_of_case(read_case_page(case, cast.clerk))
    assert found is not None
    pairs = {pair.field.path: pair for pair in found.documents[0].pairs}
    debit = pairs["/lines/0/debit"]
    assert (debit.match, debit.field.currency, debit.currency_there) == (Match.DIFFERS, "EUR", "USD")


def test_authority_tells_only_a_hash(cast: Cast, connected: None, simulator: RunningSimulator, signed_in: SignedIn):
    case = replay(cast)
    simulator.submit(valid_invoice(seed=2), key="somebody-else")
    work_until_done()
    case.refresh_from_db()
    [effect] = simulator.effects

    text = text_of(page_of(signed_in(cast.clerk), case))
    for shown in ("The tax authority gives no document back.", "Other content", effect["clearance"], effect["sha256"],
                  submission(case).content_sha256, "of which the tax authority tells nothing"):  # fmt: skip
        assert shown in text


def test_bank_tells_some_fields(cast: Cast, connected: None, simulator: RunningSimulator, signed_in: SignedIn):
    configure(cast.connection, connector="iso20022", target_url=simulator.bank_url, collect_seconds=0)
    simulator.post("/control/bank", json.dumps({"accounts": {IBANS[1]: "closed"}}).encode(),
                   Content_Type="application/json")  # fmt: skip
    cases = hand_in_payments(cast, simulator, payment_file(Wire("INV-1", iban=IBANS[1]), Wire("INV-2")))
    [case] = cases
    give_account(case, IBANS[2], cast=cast)
    simulator.post("/bank/payments", payment_file(Wire("INV-1", cents=99_00, iban=IBANS[2])),
                   Content_Type="application/xml", Idempotency_Key="somebody-else")  # fmt: skip
    propose(case, by=cast.clerk)
    approve_open(case, by=cast.controller)
    work_until_done()
    case.refresh_from_db()

    found = conflict_of_case(read_case_page(case, cast.clerk))
    assert found is not None
    [beside] = found.documents
    pairs = {pair.field.label: pair for pair in beside.pairs}
    amount, account = pairs["Amount"], pairs["Payee's account (IBAN)"]
    assert (amount.match, amount.ours, amount.theirs) == (Match.DIFFERS, "125.00", "99.00")
    assert (account.match, pairs["Payee"].match, beside.different) == (Match.SAME, Match.NOT_TOLD, 1)
    text = text_of(page_of(signed_in(cast.clerk), case))
    for shown in ("The bank tells some fields", "125.00 EUR", "99.00 EUR", "1 field differs"):
        assert shown in text


def test_target_that_cannot_be_asked_is_said_to_be_so(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: SignedIn, api: As
):
    configure(erp, target_kind="neither")
    case, _ = sent_into(cast, simulator, THEIRS)

    assert submission(case).state == "conflict"
    text = text_of(page_of(signed_in(cast.clerk), case))
    assert "The ERP said that it has the document, and cannot be asked with which content." in text
    conflict = api(cast.clerk).get(f"exceptions/{case.ref}").json()["conflict"]
    assert (conflict["why_not_shown"], conflict["held"]) == ("not_asked", [])


def answered(cast: Cast, body: bytes, *, outcome: str = "different", content: bytes = OURS) -> Delivery:
    """A delivery that ended in a conflict with this answer."""
    case = make_case(cast, number="JE-1")
    with transaction.atomic():
        delivery = outbox.enqueue(
            connection=configure(case.connection, connector="erp"), operation=Delivery.Operation.SUBMIT,
            object_type="journal", business_key=case.business_key, content=content, media_type="application/json",
            subject=case.subject, probe_first=False, at=MORNING,
        )  # fmt: skip
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery, phase="compare", epoch=0, started_at=MORNING, content_sha256=delivery.content_sha256
    )
    DeliveryAnswer.objects.create(
        attempt=attempt, outcome=outcome, body=body, reference="5100/2026", finished_at=MORNING
    )
    Delivery.objects.filter(pk=delivery.pk).update(state="conflict", sends=1)
    return Delivery.objects.select_related("connection").get(pk=delivery.pk)


def posted(*contents: bytes) -> bytes:
    rows = [
        {"document": str(5100 + number), "fiscal_year": 2026, "posting": json.loads(content)}
        for number, content in enumerate(contents)
    ]
    return json.dumps({"postings": rows}).encode()


@pytest.mark.parametrize(
    ("body", "outcome", "content", "why"),
    [
        (posted(journal(text="x" * LARGEST)), "different", OURS, Why.TOO_LARGE),
        (b"<busy/>", "different", OURS, Why.NOT_TOLD),
        (b'{"postings": [{"document": "5100"}]}', "different", OURS, Why.NOT_TOLD),
        (b'{"postings": []}', "absent", OURS, Why.NOT_THERE),
        (posted(THEIRS), "different", b"no posting", Why.UNREADABLE),
    ],
)
def test_why_nothing_is_shown_is_said(cast: Cast, body: bytes, outcome: str, content: bytes, why: Why):
    delivery = answered(cast, body, outcome=outcome, content=content)
    found = conflicts_of([delivery])[delivery.pk]
    assert (found.why, found.reference, found.told_at) == (why, "5100/2026", MORNING)


def test_several_documents_of_one_name_are_all_laid_beside_ours_up_to_five(cast: Cast, django_assert_num_queries: Any):
    delivery = answered(cast, posted(*[THEIRS] * 7))
    with django_assert_num_queries(3):
        found = conflicts_of([delivery])[delivery.pk]
    assert [beside.held.reference for beside in found.documents] == [f"{5100 + n}/2026" for n in range(5)]
    assert found.named == 7


def test_very_many_fields_are_bounded_and_counted(cast: Cast):
    rows = [{"account": "190000", "credit": "1.00", "text": f"Line {number}"} for number in range(900)]
    delivery = answered(cast, posted(journal(lines=rows)))
    [beside] = conflicts_of([delivery])[delivery.pk].documents
    assert (len(beside.pairs), beside.left_out) == (1000, sum(beside.counts.values()) - 1000)
    assert beside.left_out > 1000
    assert all(pair.match is not Match.SAME for pair in beside.pairs)


def test_second_booking_of_our_own_content_is_no_conflict_of_contents(cast: Cast):
    delivery = answered(cast, b'{"document": "5101", "fiscal_year": 2026}', outcome="confirmed")
    assert conflicts_of([delivery]) == {}


def test_document_handed_over_shows_both_on_its_exception_and_in_the_report(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: SignedIn, api: As,
    conforms: Callable[[Any, str], None],
):  # fmt: skip
    reference = post(simulator, customer_invoice(customer="C-1002"))
    [handed_over] = run(erp, document())
    case = handed_over.case
    assert case is not None

    text = text_of(page_of(signed_in(cast.clerk), case))
    assert "What the ERP holds, beside ours" in text
    period = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    report = api(cast.controller).get("effects", period).json()
    conforms(report, "EffectPage")
    [row] = report["results"]
    [held] = row["conflict"]["held"]
    assert (row["standing"], held["reference"], row["conflict"]["ours"]["version"]) == ("conflict", reference, None)
    differing = [field for field in held["fields"] if field["match"] == "differs"]
    assert [(field["path"], field["ours"], field["theirs"]) for field in differing] == [
        ("/customer", "C-1001", "C-1002")
    ]
    # Whoever merely hands in for the connection sees how it stands, and not what the target holds of others.
    grant_connection("ingest_messages", cast.outsider, erp, by=machine(SETUP), at=MORNING)
    [seen] = api(cast.outsider).get("effects", period).json()["results"]
    assert (seen["standing"], seen["conflict"]) == ("conflict", None)
    link = reverse("exceptions:case", args=[case.ref])
    page = signed_in(cast.controller).get(reverse("exceptions:effects"), {"since": "2026-11-01", "until": "2026-11-30"})
    assert f"{link}?tab=attempts#case-held" in text_of(page)


def test_entry_of_the_targets_list_is_laid_beside_ours(
    cast: Cast, erp: Connection, simulator: RunningSimulator, signed_in: SignedIn
):
    run(erp, document())
    simulator.reset()
    post(simulator, customer_invoice(customer="C-1002"))
    compared(erp)

    case = ExceptionCase.objects.get()
    found = conflict_of_case(read_case_page(case, cast.clerk))
    assert found is not None
    assert (found.documents[0].different, found.ours.version) == (1, 1)
    assert "C-1002" in text_of(page_of(signed_in(cast.clerk), case))
