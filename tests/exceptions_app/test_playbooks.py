"""Playbooks: who keeps them, what a second person agrees to, and steps that are the person's own actions or nothing."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now

from audit import log
from audit.models import AuditEvent
from audit.queries import timeline
from exceptions_app.actions import bulk_each, work
from exceptions_app.actions.bulk_carry import carry_on
from exceptions_app.actions.bulk_each import judge
from exceptions_app.actions.bulk_start import frozen_bulk_hash, start_bulk
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.playbook_run import AlreadySo, OtherPlaybook, StepRefused, outlook, use_playbook
from exceptions_app.actions.playbooks import PlaybookChanged, decide_playbook, save_playbook
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.models import BulkOutcome, Comment, Draft, ExceptionCase, PlaybookUse, PlaybookVersion
from exceptions_app.named_fields import class_named
from exceptions_app.playbook_steps import NotAStep, Step, StepKind, sound
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.playbooks import holding
from integrations.connectors.registry import CONNECTORS
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.views.repair import address, take_in, text_of

__all__ = ["api"]
pytestmark = pytest.mark.django_db
HARMLESS = [
    Step(kind=StepKind.WORDS, value="Ask the customer for the order."),
    Step(kind=StepKind.ASSIGN, value="me"),
    Step(kind=StepKind.TAG, value="Month-End, vat"),
    Step(kind=StepKind.COMMENT, value="Asked the customer."),
    Step(kind=StepKind.SNOOZE, value="2"),
]
LEADING = [*HARMLESS[:2], Step(kind=StepKind.PROPOSE, value="As agreed with sales.")]


def write(case: ExceptionCase, by, steps=HARMLESS, *, seen: int = 0) -> PlaybookVersion:
    return save_playbook(case.cause_id, steps, seen=seen, because="As agreed.", by=by, at=MORNING)


def test_steps_are_sound_or_named():
    assert [step.value for step in sound(HARMLESS)][2] == "month-end,vat"
    for step in (
        Step(kind=StepKind.WORDS, value=" "), Step(kind=StepKind.TAG, value="no_good"),
        Step(kind=StepKind.SNOOZE, value="0"), Step(kind=StepKind.SNOOZE, value="x"),
        Step(kind=StepKind.SET_VALUE, value="x"), Step(kind=StepKind.COMMENT, value="x" * 451),
    ):  # fmt: skip
        with pytest.raises(NotAStep, match="Step 2: "):
            sound([HARMLESS[0], step])
    with pytest.raises(NotAStep):
        sound(HARMLESS * 3)


@pytest.mark.parametrize(
    "field",
    [
        "BT-84", "BT-58", "Payment account identifier", "Buyer contact e-mail", " seller contact telephone (2)",
        "CdtrAcct/Id/IBAN", "Payee's account (IBAN)", "Payee's bank (clearing code) 2", "Bank account (IBAN)",
        "Bank (BIC)", "iban", "Iban", "Api key",
    ],
)  # fmt: skip
def test_no_value_is_for_a_field_that_is_masked_by_its_term_or_its_label(field: str):
    step = Step(kind=StepKind.SET_VALUE, field=field, value="ada@example.org", was="ben@example.org")
    with pytest.raises(NotAStep, match=r"Step 1: “.*” is typed by hand each time"):
        sound([step])
    assert not re.search("ada@|ben@", step.words)


def test_every_other_field_that_a_form_knows_may_be_set():
    labels = {one.label for kind in CONNECTORS.values() for one in kind.vocabulary}
    assert {label for label in labels if class_named(label) != "internal"} == {
        "Bank (BIC)", "Bank account (IBAN)", "Bank assigned creditor identifier", "Buyer contact e-mail",
        "Buyer contact point", "Buyer contact telephone", "Debited account identifier", "Mandate reference",
        "Our account (IBAN)", "Our bank (BIC)", "Payee's account (IBAN)", "Payee's bank (BIC)",
        "Payee's bank (clearing code)", "Payment account identifier", "Payment card holder", "Payment card number",
        "Payment service provider", "Seller contact e-mail", "Seller contact point", "Seller contact telephone",
    }  # fmt: skip


def test_versions_are_kept_and_what_leads_to_values_takes_a_second_person(cast: Cast):
    case = factories.make_case(cast)
    first = write(case, cast.clerk)
    assert holding(case.cause) == first
    event = AuditEvent.objects.get(action="playbook.written")
    assert (event.subject, event.data["steps"]) == (f"playbook:{first.ref}", [step.kind for step in HARMLESS])

    second = write(case, cast.clerk, LEADING, seen=1)
    assert (second.number, second.needs_second, holding(case.cause)) == (2, True, first)
    for who, why in (
        (cast.clerk, "may not approve"), (cast.support, "may not approve"), (cast.outsider, "may not approve")
    ):  # fmt: skip
        with pytest.raises(NotPermitted, match=why):
            decide_playbook(second.pk, approve=True, because="", by=who, at=MORNING)
    with pytest.raises(Invalid):
        decide_playbook(second.pk, approve=False, because=" ", by=cast.controller, at=MORNING)
    decide_playbook(second.pk, approve=True, because="", by=cast.controller, at=MORNING)
    assert holding(case.cause) == second
    with pytest.raises(PlaybookChanged):
        decide_playbook(second.pk, approve=False, because="Twice.", by=cast.controller, at=MORNING)

    third = write(case, cast.second_clerk, [*LEADING, HARMLESS[0]], seen=2)
    decide_playbook(third.pk, approve=False, because="Not so.", by=cast.controller, at=MORNING)
    assert holding(case.cause) == second
    fourth = write(case, cast.clerk, [], seen=3)
    assert (fourth.needs_second, holding(case.cause)) == (False, None)
    for steps, seen, error in (
        (HARMLESS, 3, PlaybookChanged), ([], 4, Invalid), ([Step(kind=StepKind.ASSIGN, value="nobody")], 4, Invalid)
    ):  # fmt: skip
        with pytest.raises(error):
            write(case, cast.clerk, steps, seen=seen)
    for who in (cast.support, cast.controller, cast.outsider, cast.administrator):
        with pytest.raises(NotPermitted):
            write(case, who, seen=4)
    connection.check_constraints()


def test_database_holds_the_second_person_and_what_was_written(cast: Cast):
    case = factories.make_case(cast)
    version = write(case, cast.clerk, LEADING)
    insert = """
        INSERT INTO exceptions_app_playbookdecision (version_id, verdict, decider_id, because, decided_at)
        VALUES (%s, 'approved', %s, '', now())
    """
    other = """
        INSERT INTO exceptions_app_playbookversion (connector, code, number, steps, needs_second, because, author_id,
            written_at) VALUES ('x', 'x', 1, '[{"kind": "propose"}]', false, 'x', %s, now())
    """
    tried: list[tuple[str, list[int], str]] = [
        (insert, [version.pk, cast.clerk.pk], "four eyes"),
        (other, [cast.clerk.pk], "needs a second person"),
        ("UPDATE exceptions_app_playbookversion SET steps = '[]'", [], "never changed"),
        ("DELETE FROM exceptions_app_playbookversion", [], "never changed"),
    ]
    for statement, values, words in tried:
        with pytest.raises(IntegrityError, match=words):
            at_once(statement, values)


@transaction.atomic
def at_once(statement: str, values: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    connection.check_constraints()


def test_steps_are_the_persons_own_actions_and_all_of_them_or_none(cast: Cast):
    case, other = factories.make_case(cast), factories.make_case(cast)
    version = write(case, cast.clerk)
    events = AuditEvent.objects.count()
    looks = outlook(case.pk, version, by=cast.clerk, at=MORNING)
    assert [(look.refusal, look.is_done) for look in looks] == [("", False)] * 5
    assert AuditEvent.objects.count() == events  # tried, and nothing of it stays
    assert ExceptionCase.objects.get(pk=case.pk).revision == 1

    use_playbook(case.pk, version.pk, [1, 2, 3, 4, 5], by=cast.clerk, at=MORNING, revision=1)
    case.refresh_from_db()
    assert (case.assignee, case.tags, case.snoozed_by) == (cast.clerk, ["month-end", "vat"], cast.clerk)
    told = timeline(case.subject)[1:]
    assert [event.action for event in told] == [
        "case.assigned", "case.tagged", "case.commented", "case.snoozed", "case.playbook_used"
    ]  # fmt: skip
    named = [event.because or str(event.data.get("text", "")) for event in told[:-1]]
    assert all(f"({version.ref})" in words for words in named), named
    assert (told[-1].data["playbook"], told[-1].data["steps"]) == (version.ref, [2, 3, 4, 5])
    assert PlaybookUse.objects.get().positions == [2, 3, 4, 5]
    with pytest.raises(AlreadySo):
        use_playbook(case.pk, version.pk, [2, 3], by=cast.clerk, at=MORNING)
    with pytest.raises(Invalid):
        use_playbook(case.pk, version.pk, [1, 99], by=cast.clerk, at=MORNING)

    # Who may comment and nothing else: the comment is theirs to write, the rest is refused, and together is nothing.
    looks = outlook(other.pk, version, by=cast.support, at=MORNING)
    assert ["may not work on" in look.refusal for look in looks] == [False, True, True, False, True]
    with pytest.raises(NotPermitted, match="Step 2, “Assign to me”: You may not work"):
        use_playbook(other.pk, version.pk, [4, 2], by=cast.support, at=MORNING)
    assert not Comment.objects.filter(case=other).exists()
    with pytest.raises(ChangedMeanwhile):
        use_playbook(other.pk, version.pk, [2], by=cast.clerk, at=MORNING, revision=9)
    closed = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    with pytest.raises(StepRefused, match="Step 2, “Assign to me”: “Assign” is not possible"):
        use_playbook(closed.pk, version.pk, [2, 4], by=cast.second_clerk, at=MORNING)
    assert not Comment.objects.filter(case=closed).exists()
    write(case, cast.clerk, HARMLESS[:2], seen=1)
    with pytest.raises(OtherPlaybook):
        use_playbook(other.pk, version.pk, [2], by=cast.clerk, at=MORNING)
    connection.check_constraints()


def test_many_each_with_its_outcome(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    cases = [factories.make_case(cast) for _ in range(3)]
    cases.append(factories.make_case(cast, cause=factories.make_cause("BR-05", "Another.")))
    version = write(cases[0], cast.clerk, HARMLESS[:3])
    use_playbook(cases[1].pk, version.pk, [2, 3], by=cast.clerk, at=MORNING)
    asked = Instruction(kind=BulkKind.PLAYBOOK, playbook=version.ref)
    read = list(ExceptionCase.objects.select_related("queue", "entity", "connection", "assignee").order_by("pk"))
    assert [verdict.refusal for verdict in judge(read, asked, by=cast.clerk)] == [
        "", "It is as the playbook would have it already.", "", "The playbook is for another error code."
    ]  # fmt: skip
    assert judge(read[:1], asked, by=cast.support)[0].refusal.startswith("You may not work on")
    with monkeypatch.context() as slow:  # the first one took all the time
        slow.setattr(bulk_each, "MOST_SECONDS", -1.0)
        assert [verdict.later for verdict in judge(read, asked, by=cast.clerk)] == [False, True, True, False]
    revisions = {case.pk: case.revision for case in read}
    run = start_bulk(
        asked, revisions, by=cast.clerk, at=MORNING, frozen_sha256=frozen_bulk_hash(asked, read, revisions),
        key=uuid4(),
    )  # fmt: skip
    work.claim(read[2].pk, by=cast.second_clerk, at=MORNING)
    carry_on(run.pk, ends_at=float("inf"))
    states = list(BulkOutcome.objects.order_by("item__position").values_list("state", flat=True))
    assert states == ["done", "skipped", "skipped", "failed"]
    assert PlaybookUse.objects.count() == 2
    for playbook in ("", "PB-0", "x"):
        with pytest.raises(Invalid, match="Choose a playbook"):
            judge(read, Instruction(kind=BulkKind.PLAYBOOK, playbook=playbook), by=cast.clerk)


def test_pages_write_decide_offer_and_use(cast: Cast, signed_in):
    case = factories.make_case(cast, opened_at=now())
    url, client = f"/causes/{case.cause.ref}/", signed_in(cast.clerk)
    assert "no playbook for this error code" in text_of(client.get(f"{url}playbook/").content.decode())
    steps = {"kind_1": "tag", "value_1": "no_good", "kind_3": "propose", "value_3": "Agreed."}
    sent = steps | {"seen": 0, "because": "So."}
    refused = client.post(f"{url}playbook_save/", sent)
    assert refused.status_code == 422
    assert list(refused.context["form"].errors) == ["value_1"]
    account = {"kind_1": "set_value", "value_1": "12345678", "field_1": "Payment account identifier"}
    masked = client.post(f"{url}playbook_save/", {**sent, **account})
    assert "“Payment account identifier” is typed by hand" in str(masked.context["form"].errors["value_1"])
    german = client.post(f"{url}playbook_save/", {**sent, **account}, headers={"accept-language": "de"})
    assert "Schritt 1: „Payment account identifier“" in str(german.context["form"].errors["value_1"])
    assert 'value="12345678"' in german.content.decode()  # what was typed is there still
    assert client.post(f"{url}playbook_save/", {**sent, "value_1": "vat"}).status_code == 302
    assert client.post(f"{url}playbook_save/", {**sent, "value_1": "vat"}).status_code == 409
    waits = PlaybookVersion.objects.get()
    assert "someone else must decide" in text_of(client.get(f"{url}playbook/").content.decode())
    assert "case-playbook" not in client.get(address(case)).content.decode()
    assert client.get(f"{address(case)}playbook/").status_code == 404

    second, given = signed_in(cast.controller), {"version": waits.pk, "verdict": "approve"}
    assert client.post(f"{url}playbook_decide/", given).status_code == 403
    assert second.post(f"{url}playbook_decide/", {"version": waits.pk}).status_code == 422
    assert second.post(f"{url}playbook_decide/", {**given, "version": 0}).status_code == 409
    assert second.post(f"{url}playbook_decide/", given).status_code == 302
    assert second.post(f"{url}playbook_decide/", given).status_code == 409

    assert "case-playbook" in client.get(address(case)).content.decode()
    shown = client.get(f"{address(case)}playbook/")
    assert [bool(look.refusal) for look in shown.context["looks"]] == [False, True]  # its document does not pass
    use = {"version": waits.pk, "revision": 1, "positions": ["1", "2"]}
    assert client.post(f"{address(case)}playbook_use/", use).status_code == 422
    assert shown.context["ticked"] == {1, 2}
    unticked = client.post(f"{address(case)}playbook_use/", {**use, "positions": []})
    assert (unticked.status_code, unticked.context["ticked"]) == (422, set())
    box = 'name="positions" value="1" checked>'
    assert [box in " ".join(one.content.decode().split()) for one in (shown, unticked)] == [True, False]
    assert ExceptionCase.objects.get(pk=case.pk).tags == []
    assert client.post(f"{address(case)}playbook_use/", {**use, "positions": ["1"]}).status_code == 302
    assert ExceptionCase.objects.get(pk=case.pk).tags == ["vat"]
    assert client.post(f"{address(case)}playbook_use/", {**use, "positions": ["1"]}).status_code == 409
    assert "used once" in text_of(client.get(f"{url}playbook/").content.decode())
    looking = signed_in(cast.support)
    assert looking.post(f"{address(case)}playbook_use/", {**use, "revision": 2, "positions": ["1"]}).status_code == 403
    assert looking.post(f"{url}playbook_save/", sent).status_code == 403


def test_value_goes_into_the_persons_own_draft_alone(cast: Cast):
    case = take_in(cast)
    steps = [Step(kind=StepKind.SET_VALUE, field="Issue date", value="2026-11-02")]
    version = write(case, cast.clerk, steps)
    decide_playbook(version.pk, approve=True, because="", by=cast.controller, at=MORNING)
    use_playbook(case.pk, version.pk, [1], by=cast.second_clerk, at=MORNING)
    draft = Draft.objects.get(case=case)
    assert (draft.author, list(draft.typed.values())) == (cast.second_clerk, ["2026-11-02"])
    assert case.versions.count() == 1
    for step, words in (
        (Step(kind=StepKind.SET_VALUE, field="No such field", value="x"), "has no field"),
        (Step(kind=StepKind.SET_VALUE, field="Issue date", value="soon"), "date"),
        (Step(kind=StepKind.SET_VALUE, field="BT-84", value="NL91ABNA0417164300"), "typed by hand each time"),
        (Step(kind=StepKind.SET_VALUE, field="Issue date", value="2026-11-02", was="2020-01-01"), "something else"),
    ):
        looks = outlook(case.pk, PlaybookVersion(steps=[step.kept()], pk=1), by=cast.clerk, at=MORNING)
        assert words in looks[0].refusal


def test_list_of_all_playbooks_tells_what_holds_who_agreed_and_how_often_it_was_used(cast: Cast, signed_in):
    cases = [
        factories.make_case(cast, cause=factories.make_cause(code, title))
        for code, title in (("BR-01", "No specification"), ("BR-02", "No number"), ("BR-03", "No date"))
    ]
    hidden = factories.make_case(cast, queue=cast.holds, cause=factories.make_cause("BR-04", "Elsewhere"))
    used = write(cases[0], cast.clerk)
    agreed = write(cases[1], cast.clerk, LEADING)
    decide_playbook(agreed.pk, approve=True, because="", by=cast.controller, at=MORNING)
    write(cases[1], cast.second_clerk, LEADING[1:], seen=1)
    write(cases[2], cast.clerk, HARMLESS[:1])
    write(cases[2], cast.clerk, [], seen=1)
    use_playbook(cases[0].pk, used.pk, [2], by=cast.clerk, at=MORNING)
    client = signed_in(cast.clerk)

    def listed(**asked: str) -> list[str]:
        return [row.newest.code for row in client.get("/playbooks/", asked).context["rows"]]

    rows = client.get("/playbooks/").context["rows"]
    assert [(row.newest.code, row.newest.number, row.state, row.waits, row.uses) for row in rows] == [
        ("BR-03", 2, "over", False, 0), ("BR-02", 2, "in_force", True, 0), ("BR-01", 1, "in_force", False, 1),
    ]  # fmt: skip
    assert [row.last_used_at for row in rows] == [None, None, MORNING]
    assert (rows[1].shown.author, rows[1].shown.decision.decider) == (cast.clerk, cast.controller)
    words = text_of(client.get("/playbooks/").content.decode())
    for said in ("used once", "version 2 waits for a second person", str(cast.controller), "never used"):
        assert said in words
    assert f'href="/causes/{cases[0].cause.ref}/playbook/"' in client.get("/playbooks/").content.decode()
    for asked, codes in (
        ({"state": "in_force"}, ["BR-02", "BR-01"]), ({"state": "waiting"}, ["BR-02"]), ({"state": "over"}, ["BR-03"]),
        ({"contains": "br-0 number"}, ["BR-02"]), ({"contains": "nothing"}, []), ({"connector": "erp"}, []),
        ({"connector": cast.connection.connector, "contains": "date"}, ["BR-03"]),
        ({"state": "nonsense"}, ["BR-03", "BR-02", "BR-01"]),
    ):  # fmt: skip
        assert listed(**asked) == codes, asked
    # Of a code of which somebody sees no exception there is none, and uses elsewhere are not counted.
    assert signed_in(cast.outsider).get("/playbooks/").context["rows"] == []
    assert hidden.cause.code not in words


def test_api_keeps_decides_tries_and_uses(cast: Cast, api: Any):
    case, clerk = take_in(cast), api(cast.clerk)
    kept, on = f"causes/{case.cause.ref}/playbook", f"exceptions/{case.ref}/playbook"
    assert (clerk.get(kept).json()["holds"], clerk.get(on).json()) == (None, {"playbook": None, "steps": []})
    value = {"kind": "set_value", "field": "Issue date", "value": "2026-11-02"}
    body: dict[str, Any] = {"steps": [{"kind": "tag", "value": "vat"}, value], "seen": 0, "because": "As agreed."}
    account = {"kind": "set_value", "field": "Payment account identifier", "value": "12345678"}
    refused = clerk.post(kept, {**body, "steps": [account]})
    assert (refused.status_code, [one["pointer"] for one in refused.json()["errors"]]) == (422, ["/steps"])
    assert "Step 1: “Payment account identifier” is typed by hand" in refused.json()["errors"][0]["detail"]
    waits = clerk.post(kept, body).json()["waits"]
    assert waits["steps"] == [{"field": "", "was": "", **body["steps"][0]}, {"was": "", **value}]
    assert kind_of(clerk.post(kept, body)) == (409, "changed-meanwhile")
    decided = {"playbook": waits["ref"], "verdict": "approve"}
    assert clerk.post(f"{kept}/decide", decided).status_code == 403
    holds = api(cast.controller).post(f"{kept}/decide", decided).json()
    assert (holds["holds"]["ref"], holds["waits"], holds["uses"]) == (waits["ref"], None, 0)
    assert [step["possible"] for step in clerk.get(on).json()["steps"]] == [True, True]
    use = {"playbook": waits["ref"], "steps": [1, 2]}
    assert clerk.post(on, use, If_Match='"9"').status_code == 412
    assert api(cast.support).post(on, use).status_code == 403
    done = clerk.post(on, use).json()["steps"]
    assert (done[0]["reason"], Draft.objects.get(case=case).author) == ("It is so already.", cast.clerk)
    assert clerk.get(kept).json()["uses"] == 1
    assert kind_of(clerk.post(on, {**use, "playbook": "PB-0"})) == (409, "changed-meanwhile")


def test_value_of_a_masked_field_that_was_kept_before_is_shown_to_nobody(cast: Cast, api: Any, signed_in):
    case = take_in(cast)
    kept = [
        {"kind": "set_value", "field": "Buyer contact e-mail", "value": "new@example.org", "was": "old@example.org"},
        {"kind": "set_value", "field": "Issue date", "value": "2026-11-02"},
    ]
    version = PlaybookVersion.objects.create(
        connector=case.cause.connector, code=case.cause.code, number=1, steps=kept, needs_second=True, because="So.",
        author=cast.clerk, written_at=MORNING,
    )  # fmt: skip
    log.record("playbook.saved", subject=version.subject, scope="", actor="clara", at=MORNING, summary="Kept before.")
    steps = api(cast.support).get(f"causes/{case.cause.ref}/playbook").json()["waits"]["steps"]
    assert [(step["value"], step["was"]) for step in steps] == [
        ("n••••@example.org", "o••••@example.org"), ("2026-11-02", "")
    ]  # fmt: skip
    page = signed_in(cast.clerk).get(f"/causes/{case.cause.ref}/playbook/").content.decode()
    assert not re.findall(r"(?:new|old)@", page)
