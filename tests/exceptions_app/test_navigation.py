"""What surrounds every page: the places one may go, with what waits there."""

import re

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from guardian.shortcuts import assign_perm

from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.navigation import ENTRIES, add_fresh_counts, first_page
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.counters import files_in_quarantine_for, intake_failures_for
from exceptions_app.queries.intake_failures import TO_DO, failures, files_in_quarantine
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Verb
from integrations.models import FolderProblem, InboxMessage
from tests import factories
from tests.cast import MORNING, PASSWORD, SET_UP_AT, grant, person
from tests.exceptions_app.value_mappings import mapping


def entries(browser, address="/search/"):
    items = browser.get(address).context["navigation"]
    return {item.label: (item.current, str(item.count) if item.count is not None else "") for item in items}


def fresh_numbers(fragment):
    """What a fragment puts beside the entries, by name; each stands outside of what is swapped."""
    return dict(re.findall(r"""<span hx-swap-oob="innerHTML:\[data-count='(\w+)'\]">([^<]*)</span>""", fragment))


EVERYBODY = ["All queues", "Search", "API"]
SEEING = ["Batches", "Causes", "Playbooks", "Value mappings", "Notifications", "Transactions", "Effects", "Connections"]


@pytest.mark.parametrize(
    ("who", "more"),
    [
        (
            "clerk",
            [
                "My queue",
                "Approvals",
                "Intake failures",
                "Batches",
                "Causes",
                "Playbooks",
                "Bulk runs",
                "Value mappings",
                "Notifications",
                "Outcome unknown",
                "Transactions",
                "Effects",
                "Connections",
            ],
        ),
        (
            "controller",
            ["Approvals", "Outcome unknown", "Bulk runs", *SEEING, "Emergency access", "Rehearsals"],
        ),
        ("support", ["Outcome unknown", *SEEING]),
        ("auditor", ["Outcome unknown", *SEEING, "Access", "Audit", "Emergency access", "Rehearsals"]),
        ("outsider", []),
        (
            "administrator",
            [
                "Outcome unknown",
                "Notifications",
                "Intake failures",
                "Transactions",
                "Connections",
                "Access",
                "Emergency access",
                "Administration",
            ],
        ),
    ],
)
def test_entries_by_role(cast, signed_in, who, more):
    assert sorted(entries(signed_in(getattr(cast, who)))) == sorted(EVERYBODY + more)


def test_counts_say_what_waits_for_the_person(cast, signed_in):
    factories.claim(factories.make_case(cast), cast.clerk)
    factories.make_case(cast)
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    factories.make_message(cast, status=InboxMessage.Status.FAILED, problem="Cannot be read.")
    counts = {label: count for label, (_, count) in entries(signed_in(cast.clerk)).items() if count}
    assert counts == {"My queue": "2", "All queues": "3", "Intake failures": "1"}
    counts = {label: count for label, (_, count) in entries(signed_in(cast.controller)).items() if count}
    assert counts == {"All queues": "3", "Approvals": "1"}


def test_what_waits_to_be_decided_is_counted_as_its_page_counts_it(cast, signed_in):
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    mapping.propose(cast)
    for who, number in ((cast.controller, "2"), (cast.clerk, "")):
        assert entries(signed_in(who))["Approvals"][1] == number
    tab = signed_in(cast.controller).get(reverse("exceptions:approvals")).context["tabs"][0]
    assert str(tab["count"]) == "2"


def test_outsider_sees_no_number(cast, signed_in):
    factories.make_case(cast)
    factories.make_message(cast, status=InboxMessage.Status.FAILED)
    assert {count for _, count in entries(signed_in(cast.outsider)).values()} == {""}


def test_entry_names_each_of_its_pages_once_and_no_other_entry_does():
    named = [name for entry in ENTRIES for name in (entry.url_name, *entry.also_on)]
    assert sorted(named) == sorted(set(named))


def test_page_of_an_exception_is_a_part_of_all_queues(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    assert [label for label, (current, _) in entries(browser, "/").items() if current] == ["My queue"]
    address = reverse("exceptions:case", kwargs={"ref": case.ref})
    assert [label for label, (current, _) in entries(browser, address).items() if current] == ["All queues"]


def test_move_by_htmx_brings_fresh_numbers(cast, signed_in):
    case = factories.make_case(cast)
    factories.make_message(cast, status=InboxMessage.Status.FAILED)
    browser = signed_in(cast.clerk)
    move = reverse("exceptions:claim", kwargs={"ref": case.ref})
    fragment = browser.post(move, headers={"HX-Request": "true"}).content.decode()
    assert fresh_numbers(fragment) == {
        "mine": "1", "open": "1", "to_decide": "", "unknown": "", "intake_failures": "1", "notifications": "",
    }  # fmt: skip
    # A second one is refused, and its answer still says what waits now.
    factories.make_case(cast)
    refused = browser.post(move, headers={"HX-Request": "true"})
    assert (refused.status_code, fresh_numbers(refused.content.decode())["open"]) == (403, "2")


def test_fresh_numbers_take_three_queries(cast, django_assert_num_queries):
    factories.make_case(cast)
    request = RequestFactory().get("/")
    request.user = cast.clerk
    response = HttpResponse()
    with django_assert_num_queries(3):
        add_fresh_counts(request, response)
    assert fresh_numbers(response.content.decode())["open"] == "1"


def test_status_that_has_not_changed_and_a_tab_bring_no_numbers(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    status = reverse("exceptions:status", kwargs={"ref": case.ref})
    assert browser.get(status, {"revision": case.revision}, headers={"HX-Request": "true"}).status_code == 204
    page = reverse("exceptions:case", kwargs={"ref": case.ref})
    tab = browser.get(page, {"tab": "versions"}, headers={"HX-Request": "true", "HX-Target": "case-history"})
    assert fresh_numbers(tab.content.decode()) == {}
    changed = browser.get(status, {"revision": case.revision + 1}, headers={"HX-Request": "true"})
    assert fresh_numbers(changed.content.decode())["open"] == "1"


def test_every_number_has_its_place_before_there_is_one(cast, signed_in):
    """Both navigations, the wide and the narrow one, or a fragment could not fill them."""
    page = signed_in(cast.clerk).get("/search/").content.decode()
    assert {name: page.count(f'data-count="{name}"></span>') for name in ("mine", "open", "to_decide")} == {
        "mine": 2, "open": 2, "to_decide": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    ("who", "page"),
    [
        ("clerk", "exceptions:my_queue"),
        ("controller", "exceptions:queue"),
        ("support", "exceptions:queue"),
        ("auditor", "exceptions:audit"),
        ("outsider", "exceptions:my_queue"),
        ("administrator", "exceptions:my_queue"),
    ],
)
def test_first_page_is_of_use_to_the_person(cast, who, page):
    user = getattr(cast, who)
    assert first_page(user, reach_of(user)) == page


def test_first_page_of_who_decides_is_what_waits_for_them(cast):
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    assert first_page(cast.controller, reach_of(cast.controller)) == "exceptions:approvals"
    audits_elsewhere = person("nina", "Nina Newcomer")
    grant(audits_elsewhere, [Verb.SEE, Verb.APPROVE], cast.einvoicing, cast.netherlands)
    grant(audits_elsewhere, [Verb.EXPORT], cast.holds, cast.germany)
    assert first_page(audits_elsewhere, reach_of(audits_elsewhere)) == "exceptions:approvals"


def test_first_page_of_who_was_granted_a_connection_alone(cast):
    grant_connection("configure_connection", cast.administrator, cast.connection, by=machine(SETUP), at=SET_UP_AT)
    assert first_page(cast.administrator, reach_of(cast.administrator)) == "exceptions:connections"


@pytest.mark.parametrize(
    ("who", "next_page", "led_to"),
    [("anna", "", "/audit/"), ("anna", "/", "/audit/"), ("anna", "/queue/?state=any", "/queue/?state=any"),
     ("clara", "", "/")],
)  # fmt: skip
def test_signing_in_ends_on_the_first_page_unless_another_was_asked_for(cast, client, who, next_page, led_to):
    sign_in = {"username": who, "password": PASSWORD, "next": next_page}
    response = client.post(reverse("login"), sign_in, follow=True)
    assert (response.status_code, response.request["PATH_INFO"]) == (200, led_to.partition("?")[0])
    assert response.request["QUERY_STRING"] == led_to.partition("?")[2]


def test_sign_in_page_has_no_navigation(client, db):
    assert list(client.get(reverse("login")).context["navigation"]) == []


@pytest.mark.parametrize("who", ["clerk", "local_clerk", "controller", "outsider", "administrator"])
def test_number_of_intake_failures_agrees_with_their_page(cast, who):
    user = getattr(cast, who)
    failure = factories.make_message(cast, status=InboxMessage.Status.FAILED)
    file = FolderProblem.objects.create(connection=cast.connection, file_name="a.xml", found_at=MORNING)
    FolderProblem.objects.create(
        connection=cast.connection, file_name="b.xml", found_at=MORNING, set_aside_at=MORNING
    )  # fmt: skip
    for expected in (None, [failure, file]):
        connections, reach = connection_reach_of(user).cared_for, reach_of(user)
        counted = [*intake_failures_for(user, reach), *files_in_quarantine_for(user, reach)]
        assert counted == [*failures(connections, TO_DO), *files_in_quarantine(connections, TO_DO)]
        assert expected in (None, counted)
        assign_perm("configure_connection", user, cast.connection)  # past the action: it is refused to who approves
