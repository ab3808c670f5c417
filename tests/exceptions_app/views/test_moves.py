"""One address for each move: it works, says why not, and keeps what was typed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from audit.models import AuditEvent
from exceptions_app.actions import decide, propose, work
from exceptions_app.models import Comment, Decision, ExceptionCase, Proposal
from exceptions_app.states import State
from exceptions_app.views.replies import NOTHING_DONE
from integrations.models import Delivery
from tests import factories
from tests.cast import MORNING, give_role
from tests.exceptions_app.views.repair import address, mend, page, take_in, text_of, typed_in
from tests.exceptions_app.views.test_case import HOLD
from tests.invoices import valid_invoice

LATER, NEXT_YEAR = MORNING + timedelta(hours=1), datetime.now(UTC).year + 1
VERBS = (
    "claim", "assign", "hold", "resume", "snooze", "wake", "undo", "propose", "release", "decline", "dismiss",
    "withdraw", "approve", "reject", "reopen", "comment", "correct", "translate", "draft",
)  # fmt: skip
TEXTS = {"because", "text", "waiting_for", "until"}  # what is typed; the rest is chosen or comes with the page
HTMX = {"HX-Request": "true"}


def again(case: ExceptionCase) -> ExceptionCase:
    return ExceptionCase.objects.get(pk=case.pk)


def proposed(cast) -> tuple[ExceptionCase, Proposal]:
    case = take_in(cast)
    mend(case, by=cast.clerk)
    proposal = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Mended.")
    return again(case), proposal


@pytest.mark.parametrize("verb", VERBS)
def test_move_is_made_by_post_only(cast, signed_in, verb):
    case = factories.make_case(cast)
    assert signed_in(cast.clerk).put(address(case, verb)).status_code == 405


@pytest.mark.parametrize("verb", VERBS)
def test_move_on_what_is_not_visible_is_not_found(cast, signed_in, verb):
    case = factories.make_case(cast)
    assert signed_in(cast.outsider).post(address(case, verb), {"because": "x"}).status_code == 404
    assert again(case).revision == 1


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("claim", {}),
        ("assign", {"to": ""}),
        ("hold", {"waiting_for": "Approval-by-mail", "until": f"{NEXT_YEAR}-07-01T14:00"}),
        ("propose", {"because": "It is right as it is."}),
        ("dismiss", {"because": "It is right as it is.", "outcome": "written_off"}),
        ("comment", {"text": "Agreed."}),
        ("correct", {"because": "It is right as it is.", "base_version": "1"}),
    ],
)
def test_move_that_is_not_permitted_says_why_and_keeps_what_was_typed(cast, signed_in, verb, data):
    case = take_in(cast)
    answer = signed_in(cast.support).post(address(case, verb), data)
    words = text_of(answer.content.decode())
    assert answer.status_code == 403
    assert "You may not do this You may not" in words
    assert NOTHING_DONE in words
    for name in TEXTS.intersection(data):
        assert data[name] in words
    assert again(case).revision == 1


def test_claim_takes_the_exception(cast, signed_in):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "claim"), follow=True)
    assert answer.redirect_chain == [(address(case), 302)]
    assert f"You have {case.ref} now." in text_of(answer.content.decode())
    assert (again(case).assignee, again(case).state) == (cast.clerk, State.IN_PROGRESS)


def test_claim_by_htmx_answers_with_the_fragment(cast, signed_in):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "claim"), headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.split()[:2] == ["<div", 'id="case">']
    assert "<html" not in html
    assert 'id="case-notice"' in html
    assert "HX-Request" in answer["Vary"]


def test_claim_of_what_a_colleague_has_is_refused_with_the_reason(cast, signed_in):
    case = factories.make_case(cast)
    work.claim(case.pk, by=cast.clerk, at=MORNING)
    answer = signed_in(cast.second_clerk).post(address(case, "claim"), headers=HTMX)
    assert answer.status_code == 403
    assert answer["X-Fragment"] == "case"
    assert "Clara Clerk has this exception." in text_of(answer.content.decode())
    assert again(case).assignee == cast.clerk


def test_claim_twice_is_refused(cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    assert client.post(address(case, "claim")).status_code == 302
    assert client.post(address(case, "claim")).status_code == 403
    assert again(case).revision == 2


def test_assign_to_a_colleague_and_back_to_the_queue(cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    client.post(address(case, "assign"), {"to": cast.second_clerk.pk, "because": "You know them.", "revision": 1})
    assert again(case).assignee == cast.second_clerk
    client.post(address(case, "assign"), {"to": "", "revision": 2})
    assert again(case).assignee is None


def test_assign_offers_only_those_who_may_work_on_it(cast, signed_in):
    case = factories.make_case(cast, entity=cast.germany)
    html = page(signed_in(cast.clerk), case)
    options = html.partition('name="to"')[2].partition("</select>")[0]
    names = ("Cem Clerk", "Clara Clerk", "Lars Local", "Conrad")
    assert [name for name in names if name in options] == ["Cem Clerk", "Clara Clerk"]
    answer = signed_in(cast.clerk).post(address(case, "assign"), {"to": cast.local_clerk.pk})
    assert answer.status_code == 422
    assert again(case).assignee is None


def test_hold_reads_the_time_in_the_zone_of_the_person(cast, signed_in):
    case = factories.make_case(cast)
    cast.clerk.time_zone = "Europe/Berlin"
    cast.clerk.save(update_fields=["time_zone"])
    data = {"waiting_for": "The customer's answer", "until": f"{NEXT_YEAR}-07-01T14:00", "revision": 1}
    assert signed_in(cast.clerk).post(address(case, "hold"), data).status_code == 302
    held = again(case)
    assert (held.state, held.waiting_for) == (State.WAITING, "The customer's answer")
    assert held.held_until == datetime(NEXT_YEAR, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"waiting_for": " ", "until": ""}, "Waiting for: Say what this exception is waiting for."),
        ({"waiting_for": "An answer", "until": "2001-01-01T10:00"}, "Until: Choose a time in the future"),
        ({"waiting_for": "An answer", "until": "soon"}, "Until: This is not a date and time."),
    ],
)
def test_hold_names_the_field_at_fault_and_keeps_the_rest(cast, signed_in, data, problem):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "hold"), {**data, "revision": 1})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "There is a problem" in text_of(html)
    assert problem in text_of(html)
    assert typed_in(html, "until") == data["until"]
    assert again(case).state == State.NEW


def test_resume_goes_on_with_what_was_on_hold(cast, signed_in):
    case = factories.make_case(cast)
    work.hold(case.pk, by=cast.clerk, at=MORNING, waiting_for="An answer")
    assert "Waiting for: An answer." in text_of(page(signed_in(cast.clerk), case))
    assert signed_in(cast.clerk).post(address(case, "resume")).status_code == 302
    assert again(case).state == State.IN_PROGRESS


def test_move_on_a_page_that_is_out_of_date_says_what_changed(cast, signed_in):
    case = factories.make_case(cast)
    work.assign(case.pk, to=None, by=cast.second_clerk, at=LATER)
    data = {"outcome": "written_off", "because": "Not worth the postage.", "revision": 1}
    answer = signed_in(cast.clerk).post(address(case, "dismiss"), data)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "This changed meanwhile" in text_of(html)
    assert f"Cem Clerk assigned {case.ref}" in text_of(html)
    assert "Not worth the postage.</textarea>" in html
    assert 'name="revision" value="2" id="dismiss-revision"' in html
    assert again(case).state == State.NEW


def test_move_that_the_state_no_longer_allows_keeps_what_was_typed(cast, signed_in):
    case = factories.make_case(cast)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    answer = signed_in(cast.clerk).post(address(case, "hold"), {"waiting_for": "Credit-note", "revision": "7"})
    words = text_of(answer.content.decode())
    assert answer.status_code == 409
    assert "“Put on hold” is not possible while the exception is dismissed." in words
    kept = "What you typed This is no longer possible here. Copy it if you need it. Waiting for Credit-note"
    assert kept in words


def test_propose_after_a_correction_that_passes(cast, signed_in):
    case = take_in(cast)
    mend(case, by=cast.clerk)
    html = page(signed_in(cast.clerk), case)
    assert "Next: propose the replay" in text_of(html)
    assert "\nTaken from the order.</textarea>" in html.partition('id="propose-because"')[2]
    data = {"because": "Taken from the order.", "revision": again(case).revision}
    assert signed_in(cast.clerk).post(address(case, "propose"), data).status_code == 302
    assert again(case).state == State.AWAITING_APPROVAL


def test_propose_of_what_does_not_pass_names_what_is_left(cast, signed_in):
    case = take_in(cast)
    answer = signed_in(cast.clerk).post(address(case, "propose"), {"because": "As it is.", "revision": 1})
    words = text_of(answer.content.decode())
    assert answer.status_code == 422
    assert "It does not pass the check" in words
    assert "The issue date is missing." in words
    assert "As it is." in words
    assert Proposal.objects.count() == 0


def test_propose_twice_is_refused(cast, signed_in):
    case, _ = proposed(cast)
    answer = signed_in(cast.clerk).post(
        address(case, "propose"), {"because": "Again and again.", "revision": case.revision}
    )
    assert answer.status_code == 409
    assert "is not possible while the exception is awaiting approval" in text_of(answer.content.decode())


def test_held_transaction_is_released_by_two_people(cast, signed_in):
    case = take_in(cast, valid_invoice(), HOLD)
    signed_in(cast.clerk).post(address(case, "release"), {"because": "The board signed it.", "revision": 1})
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.state) == ("release", "open")
    words = text_of(page(signed_in(cast.controller), case))
    assert "No business field is changed. The document goes out as it was received." in words
    data = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    assert signed_in(cast.controller).post(address(case, "approve"), data).status_code == 302
    assert again(case).state == State.REPLAYING
    assert bytes(Delivery.objects.get().content.body) == valid_invoice()


def test_held_transaction_is_declined_with_the_reason(cast, signed_in):
    case = take_in(cast, valid_invoice(), HOLD)
    signed_in(cast.clerk).post(address(case, "decline"), {"because": "Ordered by nobody.", "revision": 1})
    proposal = Proposal.objects.get()
    words = text_of(page(signed_in(cast.controller), case))
    assert "The source is told that the document was declined, with the reason." in words
    assert "Approve closing" in words
    data = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    signed_in(cast.controller).post(address(case, "approve"), data)
    assert (again(case).state, again(case).outcome) == (State.DISMISSED, "declined")
    assert "Closed without sending: Declined, back to the source Ordered by nobody." in text_of(
        page(signed_in(cast.clerk), case)
    )


def test_dismiss_needs_an_ending(cast, signed_in):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "dismiss"), {"because": "Cancelled by billing.", "revision": 1})
    assert answer.status_code == 422
    assert "How it ends: Choose how it ends" in text_of(answer.content.decode())
    assert "Cancelled by billing." in answer.content.decode()


def test_withdraw_takes_the_proposal_back(cast, signed_in):
    case, _ = proposed(cast)
    assert signed_in(cast.clerk).post(address(case, "withdraw"), {"revision": case.revision}).status_code == 302
    assert again(case).state == State.IN_PROGRESS


def test_approve_sends_what_was_shown(cast, signed_in):
    case, proposal = proposed(cast)
    data = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on", "because": "Compared with the order."}
    answer = signed_in(cast.controller).post(address(case, "approve"), data)
    assert answer.status_code == 302
    assert again(case).state == State.REPLAYING
    assert Delivery.objects.get().content_sha256 == proposal.content_sha256
    assert Decision.objects.get().because == "Compared with the order."


def test_approve_is_never_one_key(cast, signed_in):
    case, proposal = proposed(cast)
    data = {"frozen_sha256": proposal.frozen_sha256, "because": "Compared with the order."}
    answer = signed_in(cast.controller).post(address(case, "approve"), data)
    assert answer.status_code == 422
    assert "Confirm that you compared what changes. Nothing was approved." in text_of(answer.content.decode())
    assert "Compared with the order.</textarea>" in answer.content.decode()
    assert again(case).state == State.AWAITING_APPROVAL


def test_approve_of_ones_own_work_is_refused_with_the_reason(cast, signed_in):
    case, proposal = proposed(cast)
    give_role(cast.clerk, "controller")
    assert "You proposed this; someone else must decide." in text_of(page(signed_in(cast.clerk), case))
    data = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    answer = signed_in(cast.clerk).post(address(case, "approve"), data)
    assert answer.status_code == 403
    assert "You proposed this; someone else must decide." in text_of(answer.content.decode())
    assert Decision.objects.count() == 0


def test_approval_of_content_that_changed_says_that_it_no_longer_holds(cast, signed_in):
    case, shown = proposed(cast)
    mend(case, by=cast.clerk, date="2026-10-30", at=LATER)
    propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Another date.")
    data = {"frozen_sha256": shown.frozen_sha256, "agreed": "on", "because": "I compared it."}
    answer = signed_in(cast.controller).post(address(case, "approve"), data)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "This approval no longer holds: Clara Clerk changed the content after it was proposed." in text_of(html)
    assert "I compared it.</textarea>" in html
    assert again(case).state == State.AWAITING_APPROVAL
    assert Delivery.objects.count() == 0


def test_page_says_that_a_proposal_died_with_the_change(cast, signed_in):
    case, _ = proposed(cast)
    mend(case, by=cast.clerk, date="2026-10-30", at=LATER)
    words = text_of(page(signed_in(cast.controller), case))
    assert "The proposal no longer holds Clara Clerk changed the content after it was proposed." in words


def test_approve_twice_is_refused(cast, signed_in):
    case, proposal = proposed(cast)
    client = signed_in(cast.controller)
    data = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    assert client.post(address(case, "approve"), data).status_code == 302
    answer = client.post(address(case, "approve"), data)
    assert answer.status_code == 409
    assert "Nothing is left to decide You approved this already." in text_of(answer.content.decode())
    assert (Decision.objects.count(), Delivery.objects.count()) == (1, 1)


def test_approved_form_of_the_page_after_a_conflict_is_for_what_is_shown_now(cast, signed_in):
    case, shown = proposed(cast)
    mend(case, by=cast.clerk, date="2026-10-30", at=LATER)
    fresh = propose.propose_replay(case.pk, by=cast.clerk, at=LATER, because="Another date.")
    data = {"frozen_sha256": shown.frozen_sha256, "agreed": "on"}
    html = signed_in(cast.controller).post(address(case, "approve"), data).content.decode()
    assert html.count(fresh.frozen_sha256) == 2
    assert shown.frozen_sha256 not in html
    assert 'name="agreed" id="approve-agreed" checked' not in html


def test_reject_needs_a_reason(cast, signed_in):
    case, proposal = proposed(cast)
    data = {"frozen_sha256": proposal.frozen_sha256, "because": ""}
    answer = signed_in(cast.controller).post(address(case, "reject"), data)
    assert answer.status_code == 422
    assert "Reason: Say why you reject it" in text_of(answer.content.decode())
    data["because"] = "The date is not that of the order."
    assert signed_in(cast.controller).post(address(case, "reject"), data).status_code == 302
    assert again(case).state == State.IN_PROGRESS


def test_reopen_takes_up_what_was_closed(cast, signed_in):
    case = factories.make_case(cast)
    factories.dismiss(case, cast.clerk, approver=cast.controller)
    connection.check_constraints()  # as at the end of the transaction of the approval
    data = {"because": "The customer did pay.", "revision": again(case).revision}
    assert signed_in(cast.clerk).post(address(case, "reopen"), data).status_code == 302
    assert again(case).state == State.IN_PROGRESS


def test_comment_is_shown_as_it_was_written_and_escaped(cast, signed_in):
    case = factories.make_case(cast)
    client = signed_in(cast.controller)
    assert client.post(address(case, "comment"), {"text": "See <b>order</b> 12"}).status_code == 302
    html = page(client, case)
    assert "See &lt;b&gt;order&lt;/b&gt; 12" in html
    assert "Conrad Controller commented on" in text_of(html)
    assert Comment.objects.get().text == "See <b>order</b> 12"


@pytest.mark.parametrize(("text", "problem"), [(" ", "Comment: Write a comment first."), ("x" * 5001, "at most 5000")])
def test_comment_that_is_empty_or_too_long_is_refused(cast, signed_in, text, problem):
    case = factories.make_case(cast)
    answer = signed_in(cast.clerk).post(address(case, "comment"), {"text": text})
    assert answer.status_code == 422
    assert problem in text_of(answer.content.decode())
    assert Comment.objects.count() == 0


def test_reason_that_is_too_long_is_refused_and_not_cut(cast, signed_in):
    case = factories.make_case(cast)
    reason = "a reason " * 60
    data = {"outcome": "written_off", "because": reason, "revision": 1}
    answer = signed_in(cast.clerk).post(address(case, "dismiss"), data)
    assert answer.status_code == 422
    assert reason.strip() in answer.content.decode()


def test_every_move_is_in_the_audit_trail_under_the_name_of_the_person(cast, signed_in):
    case, proposal = proposed(cast)
    decide.reject(
        case.pk, by=cast.controller, at=LATER, frozen_sha256=proposal.frozen_sha256, because="The date is wrong."
    )
    signed_in(cast.second_clerk).post(address(case, "comment"), {"text": "I ask them."})
    event = AuditEvent.objects.filter(subject=case.subject).latest("id")
    assert (event.action, event.actor) == ("case.commented", "cem")
