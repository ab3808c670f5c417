"""Tags: who may, which words, who learns of them, and where an exception is found by them."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.queries import timeline
from exceptions_app.actions import snoozing, work
from exceptions_app.actions.bulk_carry import carry_on
from exceptions_app.actions.bulk_each import judge
from exceptions_app.actions.bulk_start import frozen_bulk_hash, start_bulk
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.tagging import tag
from exceptions_app.actions.undo import undo
from exceptions_app.bulk_states import BulkKind, Instruction
from exceptions_app.models import BulkOutcome, ExceptionCase
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.tags import tags_in_use
from exceptions_app.search_text import read
from exceptions_app.states import TransitionNotAllowed, WakesOn
from exceptions_app.tags import NotATag, read_tags
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.views.repair import address, text_of
from tests.factories import dismiss, make_case

pytestmark = pytest.mark.django_db


def tags_of(case: ExceptionCase) -> list[str]:
    return list(ExceptionCase.objects.values_list("tags", flat=True).get(pk=case.pk))


def test_words_are_read_in_one_spelling_or_refused_with_the_rule():
    assert read_tags(" #VAT, month-end;vat\n2026 ") == ("2026", "month-end", "vat")
    assert read_tags("") == ()
    for text in ("a_b", "-a", "a-", "a--b", "größe", "x" * 31, "<b>", "#", "a\x00b"):
        with pytest.raises(NotATag, match="cannot be a tag"):
            read_tags(text)


def test_tags_go_on_and_off_with_an_event_and_nothing_else_changes(cast: Cast):
    case = snoozing.snooze(make_case(cast).pk, by=cast.clerk, at=MORNING, wakes_on=WakesOn.COMMENT)
    tag(case.pk, add=["vat", "#Audit"], by=cast.clerk, at=MORNING, revision=2)
    case = tag(case.pk, add=["month-end"], remove=["vat"], by=cast.second_clerk, at=MORNING, because="It was paid.")
    assert tags_of(case) == ["audit", "month-end"]
    assert (case.state, case.snoozed_by, case.assignee, case.revision) == ("new", cast.clerk, None, 4)
    first, second = timeline(case.subject)[-2:]
    assert first.summary == f"Clara Clerk tagged {case.ref} audit, vat."
    assert second.summary == f"Cem Clerk tagged {case.ref} month-end and took off vat."
    assert (second.because, second.data["added"], second.data["removed"]) == ("It was paid.", ["month-end"], ["vat"])
    assert second.scope == f"{case.entity.code}/{case.queue.slug}"

    refusals: list[tuple[dict[str, Any], str]] = [
        ({}, "add"), ({"add": ["audit"]}, "add"), ({"remove": ["vat"]}, "add"), ({"add": ["no good"]}, "add"),
        ({"remove": ["no good"]}, "remove"), ({"add": ["a"], "remove": ["a"]}, "add"),
        ({"add": [f"t{number}" for number in range(9)]}, "add"),
    ]  # fmt: skip
    for given, field in refusals:
        with pytest.raises(Invalid) as refused:
            tag(case.pk, by=cast.clerk, at=MORNING, **given)
        assert refused.value.field == field
    with pytest.raises(ChangedMeanwhile):
        tag(case.pk, add=["late"], by=cast.clerk, at=MORNING, revision=3)
    for who in (cast.controller, cast.support, cast.auditor, cast.outsider, cast.administrator):
        with pytest.raises(NotPermitted, match="You may not work on exceptions"):
            tag(case.pk, add=["late"], by=who, at=MORNING)
    with pytest.raises(NotPermitted, match="Only the person who did it"):
        undo(case.pk, by=cast.clerk, at=MORNING, revision=4)
    assert undo(case.pk, by=cast.second_clerk, at=MORNING, revision=4).tags == ["audit", "vat"]
    connection.check_constraints()

    closed = dismiss(make_case(cast), cast.clerk, approver=cast.controller)
    with pytest.raises(TransitionNotAllowed):
        tag(closed.pk, add=["late"], by=cast.clerk, at=MORNING)


def test_lists_search_and_suggestions_know_what_the_reader_sees(cast: Cast, signed_in):
    here = tag(make_case(cast).pk, add=["audit", "vat"], by=cast.clerk, at=MORNING)
    there = make_case(cast, queue=cast.holds, entity=cast.germany)
    tag(there.pk, add=["secret", "vat"], by=cast.clerk, at=MORNING)
    make_case(cast)
    assert tags_in_use(reach_of(cast.clerk)) == ["audit", "secret", "vat"]
    assert tags_in_use(reach_of(cast.local_clerk)) == ["audit", "vat"]
    assert tags_in_use(reach_of(cast.outsider)) == []

    client = signed_in(cast.local_clerk)
    found = client.get("/queue/?tag=VAT&columns=tags")
    assert [row.case.pk for row in found.context["rows"]] == [here.pk]
    assert [chip.label for chip in found.context["chips"]] == ["Tag: vat"]
    assert 'href="/queue/?tag=audit"' in found.content.decode()
    assert len(client.get("/queue/?tag=audit,vat").context["rows"]) == 1
    # What stands only on what they do not see is as a tag that nobody has: no word of either.
    for unknown in ("secret", "unknown"):
        empty = client.get(f"/queue/?tag={unknown}")
        assert (list(empty.context["rows"]), empty.context["notices"]) == ([], [])
    assert "cannot be a tag" in text_of(client.get("/queue/?tag=no_good").content.decode())
    assert read("tag:VAT").filters == {"tag": "vat"}
    searched = client.get("/search/?q=tag:vat", follow=True).content.decode()
    assert here.ref in searched
    assert there.ref not in searched

    page = client.get(address(here)).content.decode()
    assert 'list="tag-add-suggestions"' not in page  # it has both that are in use
    other = client.get(address(make_case(cast))).content.decode()
    assert '<option value="audit"></option><option value="vat"></option>' in other
    assert "secret" not in page + other


def test_page_puts_on_and_takes_off_and_offers_undo(cast: Cast, signed_in):
    case, client = make_case(cast), signed_in(cast.clerk)
    refused = client.post(address(case, "tag"), {"add": "good, no_good", "revision": 1})
    assert refused.status_code == 422
    assert "“no_good” cannot be a tag" in text_of(refused.content.decode())
    assert 'value="good, no_good"' in refused.content.decode()
    assert client.post(address(case, "tag"), {"revision": 1}).status_code == 422
    done = client.post(address(case, "tag"), {"add": "audit vat", "revision": 1}, follow=True)
    assert f"{case.ref} is tagged audit, vat." in text_of(done.content.decode())
    stale = client.post(address(case, "tag"), {"add": "late", "remove": ["gone"], "revision": 1})
    assert stale.status_code == 409
    late = client.post(address(case, "tag"), {"remove": ["audit", "vat"], "revision": 1}).content.decode()
    assert len(re.findall(r'name="remove"[^>]* checked', late)) == 2  # both that were ticked
    assert client.post(address(case, "tag"), {"remove": ["audit", "vat"], "revision": 2}).status_code == 302
    assert tags_of(case) == []
    assert client.post(address(case, "undo"), {"revision": 3}).status_code == 302
    assert tags_of(case) == ["audit", "vat"]
    assert signed_in(cast.support).post(address(case, "tag"), {"add": "late"}).status_code == 403
    assert tags_of(case) == ["audit", "vat"]


def test_many_are_tagged_each_with_its_outcome(cast: Cast):
    cases = [make_case(cast) for _ in range(4)]
    tag(cases[1].pk, add=["vat"], by=cast.clerk, at=MORNING)
    asked = Instruction(kind=BulkKind.TAG, tags="vat", because="For the audit.")
    cases = list(ExceptionCase.objects.select_related("queue", "entity", "connection", "assignee").order_by("pk"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        told = judge(cases, asked, by=cast.clerk)
    assert [verdict.refusal for verdict in told] == ["", "It has these tags already.", "", ""]
    assert len(few) == 2  # whatever their number
    revisions = {case.pk: case.revision for case in cases}
    run = start_bulk(
        asked, revisions, by=cast.clerk, at=MORNING, frozen_sha256=frozen_bulk_hash(asked, cases, revisions),
        key=uuid4(),
    )  # fmt: skip
    work.claim(cases[2].pk, by=cast.second_clerk, at=MORNING)
    carry_on(run.pk, ends_at=float("inf"))
    assert list(BulkOutcome.objects.order_by("item__position").values_list("state", "detail")) == [
        ("done", ""), ("skipped", "It has these tags already."), ("skipped", "It changed after you saw it."),
        ("done", ""),
    ]  # fmt: skip
    assert [tags_of(case) for case in cases] == [["vat"], ["vat"], [], ["vat"]]
    assert timeline(cases[0].subject)[-1].because == f"For the audit. ({run.ref})"
    off = judge(cases, Instruction(kind=BulkKind.UNTAG, tags="vat"), by=cast.support)
    assert all("You may not work on exceptions" in verdict.refusal for verdict in off)
    for tags in ("", "no_good"):
        with pytest.raises(Invalid) as refused:
            judge(cases, Instruction(kind=BulkKind.TAG, tags=tags), by=cast.clerk)
        assert refused.value.field == "tags"


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_time_lose_nothing():
    cast = make_cast()
    case = make_case(cast)
    at_the_same_time(
        [
            lambda: tag(case.pk, add=["one"], by=cast.clerk, at=MORNING),
            lambda: tag(case.pk, add=["two"], by=cast.second_clerk, at=MORNING),
        ]
    )
    assert tags_of(case) == ["one", "two"]
