"""Choosing lines, the preview, and the page of a run: without JavaScript."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app.actions import picks
from exceptions_app.bulk_states import BulkKind
from exceptions_app.models import BulkRun, ExceptionCase, Pick
from exceptions_app.queries import bulk_runs as bulk_reads
from exceptions_app.queries import queue_page
from exceptions_app.queries.reach import cases_within, reach_of
from tests.cast import MORNING, Cast
from tests.exceptions_app.bulk_runs.runs import carry_on, field_of, start
from tests.factories import assign, make_case
from tests.invoices import valid_invoice
from workbench.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
QUEUE, MY_QUEUE, SELECTION, NEW, PREVIEW, START, RUNS = (
    reverse(f"exceptions:{name}")
    for name in ("queue", "my_queue", "bulk_selection", "bulk_new", "bulk_preview", "bulk_start", "bulk_runs")
)


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def hidden(response: Any, action: str) -> dict[str, str]:
    """What the form with this address would send by itself."""
    [form] = re.findall(rf'<form[^>]*action="{re.escape(action)}".*?</form>', response.content.decode(), re.DOTALL)
    fields = (dict(re.findall(r'(\w+)="([^"]*)"', field)) for field in re.findall(r"<input[^>]*>", form))
    return {field["name"]: unescape(field.get("value", "")) for field in fields if field.get("type") == "hidden"}


def choose(client: Client, do: str = "keep", *cases: ExceptionCase, page: str = QUEUE) -> Any:
    """Tick these on the page of the list, and press one of the buttons of its bar."""
    sent = hidden(client.get(page), SELECTION)
    return client.post(SELECTION, {**sent, "case": [case.pk for case in cases], "do": do})


def chosen(user: User) -> list[int]:
    return sorted(Pick.objects.filter(person=user).values_list("case", flat=True))


def preview(client: Client, kind: BulkKind, **typed: str) -> Any:
    return client.post(PREVIEW, {"kind": kind.value, **typed})


def test_what_is_ticked_stays_over_the_pages_of_the_list(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    cases = [make_case(cast, amount=amount) for amount in ("1.00", "2.00", "3.00")]
    client, first = signed_in(cast.clerk), f"{QUEUE}?sort=oldest"
    answer = choose(client, "keep", cases[0], page=first)
    assert (answer.status_code, answer["Location"]) == (302, first)
    second = client.get(first).context["next_url"]
    assert choose(client, "keep", cases[2], page=second)["Location"] == second
    assert chosen(cast.clerk) == [cases[0].pk, cases[2].pk]
    shown = client.get(first)
    assert "2 chosen" in text_of(shown)
    assert "4.00" in text_of(shown)
    assert shown.context["bar"].here == {cases[0].pk}
    assert re.search(rf'value="{cases[0].pk}"\s+form="bulk"\s+autocomplete="off"\s+checked', shown.content.decode())

    choose(client, "keep", page=first)  # unticked on the first page
    assert chosen(cast.clerk) == [cases[2].pk]
    choose(client, "page", page=first)
    assert chosen(cast.clerk) == [case.pk for case in cases]
    choose(client, "none", page=first)
    assert chosen(cast.clerk) == []


def test_all_that_match_are_chosen_by_the_filter_and_no_more_than_there_is_room_for(
    cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
):
    urgent = [make_case(cast, priority=1) for _ in range(3)]
    make_case(cast, priority=4)
    client = signed_in(cast.clerk)
    choose(client, "all", page=f"{QUEUE}?priority=1")
    assert chosen(cast.clerk) == [case.pk for case in urgent]
    choose(client, "none")
    monkeypatch.setattr(picks, "MOST_ITEMS", 2)
    answer = client.post(SELECTION, {"do": "all", "page": "queue", "query": "priority=1"}, follow=True)
    assert len(chosen(cast.clerk)) == 2
    assert "1 more match; do them afterwards." in text_of(answer)


def test_my_queue_offers_mine_and_only_those(cast: Cast, signed_in: SignIn):
    mine = assign(make_case(cast), cast.clerk, by=cast.clerk)
    make_case(cast)
    client = signed_in(cast.clerk)
    answer = choose(client, "all", page=MY_QUEUE)
    assert (answer["Location"], chosen(cast.clerk)) == (MY_QUEUE, [mine.pk])
    assert choose(client, "go", mine, page=MY_QUEUE)["Location"] == NEW


def test_script_gets_the_bar_alone_with_what_is_chosen_said_aloud(cast: Cast, signed_in: SignIn):
    case, client = make_case(cast), signed_in(cast.clerk)
    sent = hidden(client.get(QUEUE), SELECTION)
    answer = client.post(SELECTION, {**sent, "case": [case.pk], "do": "keep"}, headers=HTMX)
    assert answer.templates[0].name == "exceptions/_bulk_bar.html"
    assert 'id="bulk-status"' in answer.content.decode()
    assert "1 chosen" in text_of(answer)


def test_script_is_told_how_many_found_no_room(cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch):
    for _ in range(3):
        make_case(cast)
    monkeypatch.setattr(picks, "MOST_ITEMS", 2)
    client = signed_in(cast.clerk)
    answer = client.post(SELECTION, {"do": "all", "page": "queue", "query": ""}, headers=HTMX)
    assert text_of(answer).count("1 more match; do them afterwards.") == 2  # to be read, and said aloud
    again = client.post(SELECTION, {"do": "none", "page": "queue", "query": ""}, headers=HTMX)
    assert "do them afterwards" not in text_of(again)


def test_what_may_not_be_seen_is_neither_chosen_nor_counted(cast: Cast, signed_in: SignIn):
    hidden_case, case = make_case(cast, queue=cast.holds), make_case(cast)
    client = signed_in(cast.local_clerk)
    client.post(SELECTION, {"do": "keep", "shown": f"{hidden_case.pk},{case.pk},x", "case": [hidden_case.pk, case.pk]})
    assert chosen(cast.local_clerk) == [case.pk]
    Pick.objects.create(person=cast.local_clerk, case=hidden_case, picked_at=MORNING)  # before it was moved
    assert client.get(QUEUE).context["bar"].count == 1


@pytest.mark.parametrize("who", ["support", "auditor", "outsider"])
def test_who_may_do_nothing_has_nothing_to_choose(cast: Cast, signed_in: SignIn, who: str):
    make_case(cast)
    client = signed_in(getattr(cast, who))
    assert "bulk-bar" not in client.get(QUEUE).content.decode()
    assert [client.post(address, {}).status_code for address in (SELECTION, PREVIEW, START)] == [403] * 3
    assert client.get(NEW).status_code == 403
    assert text_of(client.get(RUNS)).count("You have started none") == 1


def test_who_may_only_comment_is_offered_that_alone(cast: Cast, signed_in: SignIn):
    make_case(cast)
    client = signed_in(cast.controller)
    choose(client, "page")
    assert [tab["label"] for tab in client.get(NEW).context["tabs"]] == ["Comment"]


def test_preview_counts_what_will_and_what_will_not_and_the_run_shows_what_did(cast: Cast, signed_in: SignIn):
    free, has_it = make_case(cast, amount="10.00"), assign(make_case(cast), cast.second_clerk, by=cast.clerk)
    client = signed_in(cast.clerk)
    choose(client, "page")
    assert "2 exceptions chosen" in text_of(client.get(NEW))
    shown = preview(client, BulkKind.ASSIGN, to="cem", because="Yours.")
    assert not BulkRun.objects.exists()
    for words in (
        "Assign to cem",
        "1 exception · 10.00",
        "1 exception stays out",
        "Cem Clerk has it already.",
        has_it.ref,
    ):
        assert words in re.sub(r"<[^>]+>", "", text_of(shown))

    answer = client.post(START, hidden(shown, START))
    run = BulkRun.objects.get()
    assert (answer["Location"], run.state, run.count) == (reverse("exceptions:bulk_run", args=[run.ref]), "finished", 1)
    free.refresh_from_db()
    assert free.assignee == cast.second_clerk
    page = client.get(answer["Location"])
    assert "It is finished: all of it is done." in text_of(page)
    assert "hx-get" not in page.content.decode().split('id="bulk-run"')[1][:200]
    again = client.post(START, hidden(shown, START))
    assert (again["Location"], BulkRun.objects.count()) == (answer["Location"], 1)
    assert run.ref in text_of(client.get(RUNS))
    assert chosen(cast.clerk) == [free.pk, has_it.pk]


def test_list_that_is_not_the_one_shown_is_shown_again_and_nothing_is_done(cast: Cast, signed_in: SignIn):
    make_case(cast)
    client = signed_in(cast.clerk)
    choose(client, "page")
    shown = preview(client, BulkKind.COMMENT, text="Seen.")
    sent = hidden(shown, START)
    answer = client.post(START, {**sent, "frozen_sha256": "x"})
    assert answer.status_code == 409
    assert "Something in this list changed after it was shown." in text_of(answer)
    assert hidden(answer, START)["text"] == "Seen."
    for name, value in (("items", "x"), ("items", ""), ("key", "x"), ("key", ""), ("frozen_sha256", "")):
        answer = client.post(START, {**sent, name: value})
        words = "this one cannot be read" if name == "items" else "The list came back incomplete."
        assert (answer.status_code, words in text_of(answer)) == (422, True), (name, value)
        assert hidden(answer, START)["text"] == "Seen."
    assert not BulkRun.objects.exists()


def test_what_is_wrong_is_said_beside_its_field(cast: Cast, signed_in: SignIn):
    make_case(cast)
    client = signed_in(cast.clerk)
    choose(client, "page")
    for kind, words in (
        (BulkKind.ASSIGN, "Choose a colleague."),
        (BulkKind.WRITE_OFF, "Say why; the person who decides will read it."),
        (BulkKind.COMMENT, "Write a comment first."),
        (BulkKind.SET_VALUE, "Choose the field."),
    ):
        answer = preview(client, kind)
        assert (answer.status_code, words in text_of(answer)) == (422, True)


def test_fields_of_the_documents_are_offered_and_the_value_is_set(cast: Cast, signed_in: SignIn):
    case = make_case(cast, payload=valid_invoice("INV-1"))
    field = field_of(case, "BT-10")
    client = signed_in(cast.clerk)
    choose(client, "page")
    value = f"BT-10|{field.label}"
    assert f'value="{value}"' in client.get(f"{NEW}?kind=set_value").content.decode()
    typed = {"field": value, "was": field.value or "", "will_be": "NL-7", "because": "Moved."}
    client.post(START, hidden(preview(client, BulkKind.SET_VALUE, **typed), START))
    assert field_of(case, "BT-10").value == "NL-7"


def test_page_of_a_run_is_for_who_started_it(cast: Cast, signed_in: SignIn):
    run = start([make_case(cast)], by=cast.clerk)
    mine, others = signed_in(cast.clerk), signed_in(cast.second_clerk)
    for name in ("bulk_run", "bulk_outcomes"):
        address = reverse(f"exceptions:{name}", args=[run.ref])
        assert (mine.get(address).status_code, others.get(address).status_code) == (200, 404)
    for action in ("pause", "resume", "cancel"):
        address = reverse(f"exceptions:bulk_{action}", args=[run.ref])
        assert others.post(address).status_code == 404
        assert mine.get(address)["Location"] == reverse("exceptions:bulk_run", args=[run.ref])
    assert text_of(others.get(RUNS)).count(run.ref) == 0


def test_run_is_paused_resumed_and_cancelled_from_its_page(cast: Cast, signed_in: SignIn):
    run = start([make_case(cast), make_case(cast)], by=cast.clerk)
    client, page = signed_in(cast.clerk), reverse("exceptions:bulk_run", args=[run.ref])

    def press(action: str) -> int:
        return int(client.post(reverse(f"exceptions:bulk_{action}", args=[run.ref])).status_code)

    shown = client.get(page)
    assert "2 left" in text_of(shown)
    poll = f"{page}?seen=running"
    assert f'hx-get="{poll}"' in shown.content.decode()
    assert client.get(poll, headers=HTMX).templates[0].name == "exceptions/_bulk_progress.html"
    assert press("pause") == 302
    assert client.get(poll, headers=HTMX).headers["HX-Refresh"] == "true"
    assert press("pause") == 409
    assert "It is paused." in text_of(client.get(page))
    assert (press("resume"), press("cancel"), press("resume")) == (302, 302, 409)
    assert "the rest was left alone" in text_of(client.get(page))


def test_refresh_stays_on_the_page_of_the_list(cast: Cast, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk_reads, "PAGE_SIZE", 1)
    run = start([make_case(cast) for _ in range(3)], by=cast.clerk)
    client, page = signed_in(cast.clerk), reverse("exceptions:bulk_run", args=[run.ref])
    second = client.get(client.get(page).context["next_url"])
    first = client.get(second.context["previous_url"])
    for shown, name in ((second, "after"), (first, "before")):
        assert f"{name}=" in shown.context["poll_url"]
        again = client.get(shown.context["poll_url"], headers=HTMX)
        assert again.context["items"] == shown.context["items"]


def test_failures_are_listed_with_their_reasons_and_written_as_csv(cast: Cast, signed_in: SignIn):
    good, changed = make_case(cast, number="INV-1"), make_case(cast, number="INV-2", counterparty="=1+1")
    run = start([good, changed], by=cast.clerk, kind=BulkKind.ASSIGN, to="cem")
    assign(changed, cast.clerk, by=cast.clerk)
    carry_on(run)
    client = signed_in(cast.clerk)
    shown = client.get(reverse("exceptions:bulk_run", args=[run.ref]) + "?items=skipped")
    assert [item.case for item in shown.context["items"]] == [changed]
    assert "It changed after you saw it." in text_of(shown)
    answer = client.get(reverse("exceptions:bulk_outcomes", args=[run.ref]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 3
    assert f'1,"{good.ref}","INV-1"' in lines[1]
    assert '"done"' in lines[1]
    assert '"\'=1+1"' in lines[2]
    assert '"skipped","It changed after you saw it."' in lines[2]


@pytest.mark.parametrize("number", [1, 3, 50])
def test_pages_cost_the_same_for_any_number(cast: Cast, signed_in: SignIn, django_assert_num_queries: Any, number: int):
    cases = [make_case(cast) for _ in range(number)]
    picks.pick(cases_within(reach_of(cast.clerk)), by=cast.clerk, at=MORNING)
    run = carry_on(start(cases, by=cast.clerk))
    client = signed_in(cast.clerk)
    client.get(NEW)
    page = reverse("exceptions:bulk_run", args=[run.ref])
    for address, queries in ((NEW, 9), (page, 9), (RUNS, 8)):
        with django_assert_num_queries(queries):
            assert client.get(address).status_code == 200
    with django_assert_num_queries(7):
        client.get(page, headers=HTMX)
    for kind, typed, queries in ((BulkKind.COMMENT, {"text": "Seen."}, 9), (BulkKind.ASSIGN, {"to": "cem"}, 14)):
        with django_assert_num_queries(queries):
            assert preview(client, kind, **typed).context["number_fit"] == number
