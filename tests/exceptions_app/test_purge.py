"""What a policy of retention erases of closed exceptions, what keeps it, and what is left to be told."""

import hashlib
import io
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit import verify_evidence
from audit.evidence import evidence
from audit.keys import signing_key
from audit.models import AuditEvent, Erased
from audit.queries import timeline
from audit.verify import verify as verify_log
from exceptions_app.actions import purge, work
from exceptions_app.actions.erasures import approve_erasure, propose_erasure, reject_erasure, withdraw_erasure
from exceptions_app.actions.legal_holds import lift_hold, place_hold
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retention import Asked, approve_policy, propose_policy
from exceptions_app.actions.work import File
from exceptions_app.models import (
    ApiRequest,
    Comment,
    ErasureRequest,
    ExceptionCase,
    LegalHold,
    Occurrence,
    PayloadVersion,
    PurgeRun,
    RetentionPolicy,
)
from exceptions_app.models.retention import RecordClass
from exceptions_app.tasks import purge_due
from integrations.connectors.registry import CONNECTORS
from integrations.models import DeliveryContent, InboxContent
from integrations.refusals import MessageNotUnderstood
from tests import factories
from tests.cast import Cast, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.views.repair import text_of
from tests.exceptions_app.views.test_connections import deliver
from tests.sealing import seal
from workbench.embedded.postgres import find_binaries
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = datetime(2026, 10, 10, 9, tzinfo=UTC)
PLANTED = "Petronella Planted"
PAYLOAD = f"<Invoice><ID>INV-1</ID><Contact><Name>{PLANTED}</Name></Contact></Invoice>".encode()
SAID = "The customer is called back"


def closed(cast: Cast, name: str, *, at: datetime = LONG_AGO, **more: Any) -> ExceptionCase:
    """Corrected, approved and accepted by the target, with what was sent."""
    errors = [factories.error(), factories.error(plain=f"{PLANTED} is not known.")]  # the first is its problem
    case = factories.make_case(cast, number=name, payload=PAYLOAD, errors=errors, opened_at=at, **more)
    deliver(cast, case.subject, key=name, state="confirmed")
    changes = [{"label": "Contact", "path": "/Invoice/Contact/Name", "term": "", "was": PLANTED, "will_be": "X"}]
    return factories.resolve(case, cast.clerk, approver=cast.controller, changes=changes, at=at)


def in_force(cast: Cast, record_class: RecordClass, *, days: int = 30, **where: Any) -> RetentionPolicy:
    asked = Asked(record_class=record_class, days=days, **where)
    policy = propose_policy(asked, by=cast.administrator, at=now(), because="The law.")
    second = User.objects.filter(username="adam").first() or person("adam", "Adam Administrator", is_staff=True)
    return approve_policy(policy.pk, by=second, at=now(), frozen_sha256=policy.frozen_sha256)


def seal_all() -> None:
    seal(limit=10_000, at=now())


def is_there(case: ExceptionCase) -> bool:
    return not PayloadVersion.objects.filter(case=case, content=b"").exists()


def dry_run() -> str:
    out = io.StringIO()
    call_command("purge", "--dry-run", stdout=out)
    return out.getvalue()


def test_what_is_due_is_erased_and_nothing_that_anything_keeps(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    due = closed(cast, "INV-DUE")
    work.comment(due.pk, by=cast.clerk, at=LONG_AGO, text=SAID, file=File("note.txt", b"By telephone."))
    kept = {
        "open": factories.make_case(cast, number="INV-OPEN", opened_at=LONG_AGO),
        "recent": closed(cast, "INV-RECENT", at=now()),
        "held": closed(cast, "INV-HELD"),
        "of an entity that is held": closed(cast, "INV-ENTITY", entity=cast.germany),
        "of a counterparty that is held": closed(cast, "INV-PARTY", counterparty="Roussel", identifiers={"No": "R 77"}),
        "under way": closed(cast, "INV-UNDER-WAY"),
    }
    deliver(cast, kept["under way"].subject, key="INV-AGAIN")
    signed: dict[str, Any] = {"by": cast.administrator, "at": now(), "because": "A claim."}
    hold = place_hold(case=kept["held"], **signed)
    place_hold(entity=cast.germany, **signed)
    place_hold(counterparty="r-77", **signed)
    assert "No policy" in dry_run()
    policy = in_force(cast, RecordClass.DOCUMENTS)
    seal_all()
    kept["not sealed"] = closed(cast, "INV-UNSEALED")
    assert "Would go: 1 exceptions, 1250.00 EUR. 5 more stay" in dry_run()
    refuse_by_sql(kept, policy)
    purge_due()
    [run] = PurgeRun.objects.all()
    assert (run.policy, run.count, run.money, is_there(due)) == (policy, 1, {"EUR": "1250.00"}, False)
    page = text_of(signed_in(cast.administrator).get(reverse("exceptions:retention")).content.decode())
    assert f"1,250.00 EUR · under policy {policy.ref}" in page
    assert [name for name, case in kept.items() if not is_there(case)] == []
    nothing_is_left_but_the_hashes(due)
    told = list(timeline(due.subject))[-1]
    assert (told.action, told.actor) == ("case.erased", "machine:retention")
    assert told.data["under"] == f"under policy {policy.ref}"
    assert [event.data["exceptions"] for event in timeline(run.subject)] == [[due.ref]]
    looks_at_it(due, policy, cast, signed_in, api)
    with pytest.raises(Invalid, match="was erased under a policy"):
        work.reopen(due.pk, by=cast.clerk, at=now(), because="Again.")
    # Lifted, it goes with the next run; a policy of the legal entity that keeps longer counts for what is there.
    lift_hold(hold.pk, by=User.objects.get(username="adam"), at=now(), because="Over.")
    in_force(cast, RecordClass.DOCUMENTS, days=3650, entity=cast.germany)
    files = in_force(cast, RecordClass.FILES)
    seal_all()
    runs = purge.purge_due(at=now())
    assert [(one.policy, one.count) for one in runs] == [(policy, 2), (files, 1)]
    assert purge.purge_due(at=now()) == []
    gone = signed_in(cast.clerk).get(reverse("exceptions:case", args=[due.ref])).content.decode()
    assert "note.txt</span>" in " ".join(gone.split())
    file = due.attachments.get()
    assert (bytes(file.content), file.sha256) == (b"", hashlib.sha256(b"By telephone.").hexdigest())
    assert signed_in(cast.clerk).get(reverse("exceptions:attachment", args=[due.ref, file.pk])).status_code == 410
    seal_all()
    assert verify_log().fault is None


def nothing_is_left_but_the_hashes(due: ExceptionCase) -> None:
    first, second = PayloadVersion.objects.filter(case=due).order_by("number")
    assert (bytes(first.content), first.sha256) == (b"", hashlib.sha256(PAYLOAD).hexdigest())
    assert (bytes(second.content), second.changes, second.author) == (b"", [], second.author)
    arrival = Occurrence.objects.get(case=due)
    content = InboxContent.objects.get(pk=arrival.inbox_message_id)
    assert (arrival.errors, arrival.payload_sha256, bytes(content.payload)) == ([], first.sha256, b"")
    assert Comment.objects.get(case=due).text == ""
    assert bytes(DeliveryContent.objects.get(delivery__subject=due.subject).body) == b""
    noted = Erased.objects.get(subject=due.subject, table_name="integrations_inboxcontent")
    assert (noted.sha256, noted.size) == (first.sha256, len(PAYLOAD))
    # In the events of this exception as well, there is no more than its mask.
    events = AuditEvent.objects.filter(subject=due.subject)
    assert not any(PLANTED in str(event.data) or PLANTED.encode() in bytes(event.body) for event in events)


def looks_at_it(
    due: ExceptionCase, policy: RetentionPolicy, cast: Cast, signed_in: Callable[[User], Client],
    api: Callable[[User], Api],
) -> None:  # fmt: skip
    """Every page of it says so and none breaks."""
    client, words = signed_in(cast.clerk), f"under policy {policy.ref}"
    for name in ("case", "raw", "case_print"):
        assert words in client.get(reverse(f"exceptions:{name}", args=[due.ref])).content.decode(), name
    for tab in ("versions", "attempts", "arrivals"):
        assert client.get(reverse("exceptions:case", args=[due.ref]), {"tab": tab}).status_code == 200
    arrival = Occurrence.objects.get(case=due)
    for name, *more in (
        ("version", 1),
        ("version", 2),
        ("message_payload", arrival.pk),
        ("message_refusal", arrival.pk),
    ):
        gone = client.get(reverse(f"exceptions:{name}", args=[due.ref, *more]))
        assert (gone.status_code, words in gone.content.decode()) == (410, True), name
    for address in ("/queue/?state=resolved", "/search/?q=INV-DUE", reverse("exceptions:answer", args=[due.ref])):
        assert client.get(address, follow=True).status_code == 200
    shown = api(cast.clerk).get(f"exceptions/{due.ref}").json()
    assert (shown["erased"]["under"], shown["record"], shown["errors"]) == (words, None, [])
    reopened = [action for action in shown["actions"] if action["allowed"]]
    assert {action["action"] for action in reopened} <= {"comment"}
    content = api(cast.clerk).get(f"exceptions/{due.ref}/versions/1/content")
    assert (content.status_code, content.json()["type"].rpartition("#")[2]) == (410, "erased")
    for connector in CONNECTORS.values():
        with pytest.raises(MessageNotUnderstood):
            connector.read(b"")


def refuse_by_sql(kept: dict[str, ExceptionCase], policy: RetentionPolicy) -> None:
    """The database refuses even a forged run, with a forged event; and a row that nobody noted in any case."""
    others = {"open": "no policy", "recent": "no policy", "under way": "needed still", "not sealed": "not sealed"}
    for name, case in kept.items():
        version = PayloadVersion.objects.filter(case=case).first()
        assert version is not None
        with pytest.raises(IntegrityError, match=others.get(name, "legal hold")), transaction.atomic():
            forge(policy, case, "exceptions_app_payloadversion", version.pk)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        PayloadVersion.objects.filter(case=kept["held"]).update(content=b"")
    due = ExceptionCase.objects.get(document_number="INV-DUE")
    foreign = PayloadVersion.objects.filter(case=kept["held"]).values_list("pk", flat=True)[0]
    own = PayloadVersion.objects.filter(case=due).values_list("pk", flat=True)[0]
    for table, key, words in (
        ("exceptions_app_payloadversion", foreign, "no policy"),
        ("exceptions_app_attachment", due.attachments.get().pk, "no policy"),  # of another class
        ("exceptions_app_decision", 1, "no policy"),
    ):
        with pytest.raises(IntegrityError, match=words), transaction.atomic():
            forge(policy, due, table, key)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        forge(policy, due, "exceptions_app_payloadversion", own, content=b"", reason="Other.")


def forge(policy: RetentionPolicy, case: ExceptionCase, table: str, key: int, **change: Any) -> None:
    """As good as a forgery can be, but for the events, which are asked for at the end."""
    by = User.objects.get(username="ada")
    run = PurgeRun.objects.create(policy=policy, count=1, money={}, by=by, at=now())
    Erased.objects.create(
        subject=case.subject, table_name=table, row_key=key, sha256="0" * 64, size=1, under=run.ref, at=now()
    )
    PayloadVersion.objects.filter(pk=key).update(**change)


def test_dump_has_no_trace_and_a_hold_is_seen_by_who_erases_at_the_same_time(cast: Cast):
    cases = [closed(cast, f"INV-{number}") for number in range(4)]
    in_force(cast, RecordClass.DOCUMENTS)
    seal_all()
    assert PLANTED in dump()

    def hold() -> str:
        return place_hold(case=cases[3], by=cast.administrator, at=now(), because="A claim.").ref

    answers = at_the_same_time([hold, lambda: purge.purge_due(at=now()), lambda: purge.purge_due(at=now())])
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    # Whoever came first: what was held before it was erased is there, and the rest goes once.
    purge.purge_due(at=now())
    assert not any(is_there(case) for case in cases[:3])
    assert Erased.objects.filter(table_name="exceptions_app_payloadversion").count() in (6, 8)
    found = dump()
    assert (PLANTED in found) is is_there(cases[3])
    if is_there(cases[3]):
        lift_hold(LegalHold.objects.get().pk, by=User.objects.get(username="adam"), at=now(), because="Over.")
        purge.purge_due(at=now())
        assert PLANTED not in dump()


@contextmanager
def refused_by_the_database(one: RetentionPolicy | ErasureRequest) -> Iterator[None]:
    of = "policy_id" if isinstance(one, RetentionPolicy) else "request_id"
    with database.cursor() as cursor:
        cursor.execute(f"""
            CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER no_room BEFORE INSERT ON exceptions_app_purgerun FOR EACH ROW
                WHEN (NEW.{of} = {one.pk}) EXECUTE FUNCTION no_room();
        """)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("DROP FUNCTION no_room CASCADE")


def test_one_that_breaks_off_keeps_no_other_from_running(cast: Cast, caplog: pytest.LogCaptureFixture):
    closed(cast, "INV-1", at=now(), identifiers={"Customer": "C-ZQXW"})
    request = propose_erasure("C-ZQXW", by=cast.administrator, at=now(), because="By letter.")
    first, last = (in_force(cast, RecordClass.DOCUMENTS, entity=entity) for entity in (cast.netherlands, cast.germany))
    decided: dict[str, Any] = {"by": User.objects.get(username="adam"), "frozen_sha256": request.frozen_sha256}
    approve_erasure(request.pk, at=now(), **decided)
    for broken, others in ((request, [first, last]), (first, [request, last])):
        for entity in (cast.netherlands, cast.germany):
            closed(cast, f"INV-{entity.code}-{broken.ref}", entity=entity)
        seal_all()
        with refused_by_the_database(broken):
            assert [run.policy or run.request for run in purge.purge_due(at=now())] == others
    assert f"Erasing broke off under erasure request {request.pk}" in caplog.text
    assert f"Erasing broke off under policy {first.ref}" in caplog.text
    assert [run.policy for run in purge.purge_due(at=now())] == [first]


def test_what_is_held_about_one_counterparty_goes_on_request_once_nothing_keeps_it(
    cast: Cast, signed_in: Callable[[User], Client], caplog: pytest.LogCaptureFixture
):
    adam = person("adam", "Adam Administrator", is_staff=True)
    of_them: dict[str, Any] = {"counterparty": PLANTED, "identifiers": {"Customer": "C-ZQXW"}}
    cases = [closed(cast, "INV-OLD", **of_them), closed(cast, "INV-NEW", at=now(), **of_them)]
    still_open = factories.make_case(cast, number="INV-OPEN", payload=PAYLOAD, **of_them)
    other = closed(cast, "INV-OTHER", counterparty="Roussel")
    hold = place_hold(case=cases[1], by=cast.administrator, at=now(), because="A claim.")
    ada, second = signed_in(cast.administrator), signed_in(adam)
    page, new, move = (reverse(f"exceptions:erasure{name}") for name in ("s", "_propose", "_move"))
    asked = {"counterparty": "c zqxw", "because": "They asked by letter."}
    for wrong in ({"counterparty": "C"}, {"because": ""}, {"because": "C-ZQXW asked."}):
        assert (ada.post(new, asked | wrong).status_code, ErasureRequest.objects.count()) == (422, 0), wrong
    assert signed_in(cast.controller).post(new, asked).status_code == 403
    assert [ada.post(new, asked).status_code for _ in range(2)] == [302, 422]
    request = ErasureRequest.objects.get()
    seal_all()
    shown = " ".join(second.get(page).content.decode().split())
    assert "1 exception goes" in shown
    assert "1 is open, 1 is under a legal hold, 0 are needed still" in shown
    sent = {"request": request.pk, "frozen_sha256": request.frozen_sha256, "because": ""}
    for client, wanted, status in (
        (ada, {"move": "approve"}, 403), (second, {"move": "reject"}, 422), (second, {"move": "withdraw"}, 403),
        (second, {"move": "approve", "frozen_sha256": "0" * 64}, 409), (second, {"move": "approve"}, 302),
        (second, {"move": "approve"}, 409),
    ):  # fmt: skip
        assert client.post(move, sent | wanted).status_code == status, wanted
    with pytest.raises(IntegrityError, match="cannot become done"), transaction.atomic():
        ErasureRequest.objects.update(state="done")
    purge_due()
    request.refresh_from_db()
    assert [is_there(case) for case in (*cases, still_open, other)] == [False, True, True, True]
    assert request.state == "approved"
    gone = signed_in(cast.clerk).get(reverse("exceptions:case", args=[cases[0].ref])).content.decode()
    assert f"on request {request.ref}" in gone
    assert PLANTED not in gone
    # The rest goes when nothing keeps it: the hold is lifted, and what was open is closed.
    lift_hold(hold.pk, by=adam, at=now(), because="Over.")
    factories.dismiss(still_open, cast.clerk, approver=cast.controller, at=now())
    seal_all()
    purge_due()
    request.refresh_from_db()
    assert (request.state, request.counterparty, request.folded) == ("done", "", "")
    assert [is_there(case) for case in (*cases, still_open, other)] == [False, False, False, True]
    assert "somebody whose name is erased" in ada.get(page).content.decode()
    actions = [event.action for event in timeline(request.subject)]
    assert actions == ["erasure.proposed", "erasure.approved", "erasure.done"]
    seal_all()
    assert verify_log().fault is None
    # With what another one's documents say of them gone as well, no trace of name or number is in a dump.
    assert PLANTED in dump()
    in_force(cast, RecordClass.DOCUMENTS)
    purge_due()
    seal_all()
    left = dump() + exported() + caplog.text
    assert PLANTED not in left
    assert "ZQXW" not in left.upper()


def test_request_by_the_number_of_a_document_ends_and_takes_nothing_of_others(cast: Cast):
    adam = person("adam", "Adam Administrator", is_staff=True)
    case = closed(cast, "INV-4711", identifiers={"Invoice": "INV-4711"})
    mine, others = (f"/api/v1/exceptions/{name}/comment" for name in (f"ex-{case.pk}", f"{case.ref}0"))
    for path in (mine, f"/api/v1/exceptions/{case.pk}/comment", others):
        ApiRequest.objects.create(
            user=cast.clerk, key=path, method="POST", path=path, fingerprint="0" * 64, status=201, media_type="a/json",
            body=b"", stored_at=now(),
        )  # fmt: skip
    # A reason that has the name or the number would stand in an event for ever.
    signed: dict[str, Any] = {"at": now(), "because": "About inv/4711, by letter."}
    with pytest.raises(Invalid, match="without the name"):
        place_hold(counterparty="INV 4711", by=adam, **signed)
    request = propose_erasure("inv 4711", by=cast.administrator, at=now(), because="By letter.")
    decided: dict[str, Any] = {"by": adam, "frozen_sha256": request.frozen_sha256}
    for refused in (
        lambda: approve_erasure(request.pk, **decided, **signed),
        lambda: reject_erasure(request.pk, **decided, **signed),
        lambda: withdraw_erasure(request.pk, by=cast.administrator, **signed),
    ):
        with pytest.raises(Invalid, match="without the name"):
            refused()
    approve_erasure(request.pk, at=now(), **decided)
    for _ in range(2):  # the second time there is nothing to do
        seal_all()
        purge_due()
    request.refresh_from_db()
    assert (request.state, PurgeRun.objects.count()) == ("done", 1)
    assert [one.path for one in ApiRequest.objects.all()] == [others]


def exported() -> str:
    """An evidence pack of everything, once it is found whole without the workbench; nothing in it is compressed."""
    pack = b"".join(evidence(AuditEvent.objects.all(), at=now(), by="auditor", asked_for={}, lookup=lambda _: []))
    _, walk = verify_evidence.verify(io.BytesIO(pack), verify_evidence.read_keys([str(signing_key().verifier)]), ())
    assert walk.by_action.total() == AuditEvent.objects.count()
    return pack.decode(errors="replace")


def dump() -> str:
    """All that the database holds, as a backup has it."""
    settings = database.settings_dict
    command = [
        find_binaries() / "pg_dump", "--data-only", "--host", settings["HOST"], "--port", str(settings["PORT"] or 5432),
        "--username", settings["USER"], settings["NAME"],
    ]  # fmt: skip
    environment = {"PGPASSWORD": settings["PASSWORD"], "PATH": "/usr/bin:/bin"}
    text = subprocess.run(command, check=True, capture_output=True, env=environment).stdout.decode()
    # Bytes stand in hexadecimal there.
    return text.replace(PLANTED.encode().hex(), PLANTED)
