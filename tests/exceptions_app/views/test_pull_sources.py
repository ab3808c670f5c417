"""Sources on pages: who sees them, who pauses, resumes and pulls, and what is shown of what is missing."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.timezone import now
from guardian.shortcuts import assign_perm

from audit.queries import timeline
from exceptions_app.actions import pull_sources as actions
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.mover import Invalid
from exceptions_app.admin import PullSourceForm
from exceptions_app.machines import SETUP, machine
from exceptions_app.policies import NotPermitted
from integrations.inbox import MessageRefused
from integrations.models import FolderProblem, PullSource, SequenceGap
from integrations.pull import gaps
from tests.cast import MORNING, Cast
from tests.scripted_server import answering, scripted

LIST = reverse("exceptions:intake_failures")
FEED = {"url": "https://feed.example/items", "parameters": {"limit": "500"}, "sequence": "/sequence"}
FOLDER = {"host": "sftp.example", "user": "us", "folder": "/out", "host_keys": ["SHA256:" + "A" * 43]}


def make_source(cast: Cast, slug: str = "partner", *, kind: str = "rest", **given: Any) -> PullSource:
    settings = FEED if kind == "rest" else FOLDER
    source = PullSource(
        connection=cast.connection, slug=slug, name=f"Partner {slug}", kind=kind, secret="S3CRET",
        **{"settings": settings, **given},
    )  # fmt: skip
    source.full_clean()
    save_configuration(source, by=machine(SETUP), at=MORNING, because="For this test.")
    return source


def note(source: PullSource, **place: Any) -> None:
    """What a pull would have noted."""
    PullSource.objects.filter(pk=source.pk).update(**place)


def missing(source: PullSource, *, overdue: bool = True) -> SequenceGap:
    seen = now() - timedelta(hours=2 if overdue else 0)
    gaps.note(source, [1, 5], highest=None, first=None, overdue_after=timedelta(hours=1), at=seen)
    return SequenceGap.objects.latest("pk")


def page(source: PullSource, name: str = "pull_source") -> str:
    return reverse(f"exceptions:{name}", args=[source.slug])


def page_of_gap(gap: SequenceGap, name: str = "sequence_gap") -> str:
    return reverse(f"exceptions:{name}", args=[gap.pk])


def connection_page(cast: Cast) -> str:
    return reverse("exceptions:connection", args=[cast.connection.slug])


def configurer(cast: Cast) -> Any:
    assign_perm("configure_connection", cast.clerk, cast.connection)
    return cast.clerk


def test_connection_without_sources_says_nothing_of_them(cast, signed_in):
    assert "Fetched from" not in signed_in(cast.clerk).get(connection_page(cast)).content.decode()


def test_connection_lists_its_sources_without_secrets(cast, signed_in):
    feed, folder = make_source(cast, "feed"), make_source(cast, "folder", kind="sftp")
    note(feed, cursor={"cursor": "c" * 60}, last_ok_at=MORNING)
    note(folder, failures=2, last_problem="The server said nothing for 10 seconds.")
    missing(feed)
    browser = signed_in(cast.clerk)
    shown = browser.get(connection_page(cast)).content.decode()
    for words in (
        "Partner feed",
        "REST feed",
        "Running",
        "SFTP folder",
        "sftp.example:22",
        "Failing",
        "said nothing for 10",
    ):
        assert words in shown
    assert "Pull now" not in shown
    for source in (feed, folder):
        one = browser.get(page(source)).content.decode()
        assert "S3CRET" not in shown + one
    assert "c" * 40 + "…" in browser.get(page(feed)).content.decode()
    assert [row.source.open_gaps for row in browser.get(connection_page(cast)).context["sources"]] == [1, 0]


def test_number_of_queries_does_not_grow_with_the_sources(cast, signed_in, django_assert_max_num_queries):
    browser = signed_in(cast.clerk)
    make_source(cast, "s0")
    with django_assert_max_num_queries(60) as few:
        browser.get(connection_page(cast))
    for number in range(1, 6):
        missing(make_source(cast, f"s{number}"))
    with django_assert_max_num_queries(len(few)):
        browser.get(connection_page(cast))


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_source_does_not_exist_for_who_has_nothing_to_do_with_its_connection(cast, signed_in, who):
    source = make_source(cast)
    gap = missing(source)
    browser = signed_in(getattr(cast, who))
    assert browser.get(page(source)).status_code == 404
    assert browser.get(page_of_gap(gap)).status_code == 404
    for name in ("pull_source_now", "pull_source_pause", "pull_source_resume"):
        assert browser.post(page(source, name), {"because": "x"}).status_code == 404
    assert browser.post(page_of_gap(gap, "sequence_gap_set_aside"), {"because": "x"}).status_code == 404


def test_who_configures_pauses_and_resumes(cast, signed_in):
    source = make_source(cast)
    browser = signed_in(configurer(cast))
    assert browser.post(page(source, "pull_source_pause"), {"because": ""}).status_code == 422
    assert browser.post(page(source, "pull_source_pause"), {"because": "They move."}).status_code == 302
    source.refresh_from_db()
    assert (source.is_paused, source.paused_because) == (True, "They move.")
    assert source.history.latest().history_user == cast.clerk
    assert "They move." in browser.get(page(source)).content.decode()

    note(source, failures=3, last_problem="Away.")
    assert browser.post(page(source, "pull_source_resume")).status_code == 302
    source.refresh_from_db()
    assert (source.is_paused, source.failures, source.last_problem) == (False, 0, "")
    told = [(event.action, event.actor, event.because) for event in timeline("pull_source:partner")]
    assert told[1:] == [("pull_source.paused", "clara", "They move."), ("pull_source.resumed", "clara", "")]


def test_who_configures_has_it_pulled_now(cast, signed_in):
    source = make_source(cast)
    note(source, next_due_at=now() + timedelta(hours=1))
    browser = signed_in(configurer(cast))
    assert "Pull now" in browser.get(connection_page(cast)).content.decode()
    assert browser.post(page(source, "pull_source_now")).status_code == 302
    source.refresh_from_db()
    assert source.next_due_at <= now()
    assert timeline("pull_source:partner")[-1].action == "pull_source.asked"

    actions.pause_source(source.pk, by=cast.clerk, at=MORNING, because="They move.")
    refused = browser.post(page(source, "pull_source_now"))
    assert (refused.status_code, "Resume it first" in refused.content.decode()) == (409, True)


@pytest.mark.parametrize("name", ["pull_source_now", "pull_source_pause", "pull_source_resume"])
def test_who_does_not_configure_is_refused_and_told(cast, signed_in, name):
    source = make_source(cast)
    browser = signed_in(cast.clerk)
    assert "It needs the permission to configure" in browser.get(page(source)).content.decode()
    assert browser.post(page(source, name), {"because": "x"}).status_code == 403
    source.refresh_from_db()
    assert (source.is_paused, len(timeline("pull_source:partner"))) == (False, 1)


def test_overdue_gap_is_an_intake_failure_until_it_is_set_aside(cast, signed_in):
    source = make_source(cast)
    gap = missing(source)
    browser = signed_in(cast.clerk)
    first = browser.get(LIST)
    assert [str(found) for found in first.context["gaps"]] == ["2 to 4"]
    words = " ".join(first.content.decode().split())
    assert "1 gap in the numbers of a source." in words
    assert "Every message could be read" not in words
    assert {tab["label"]: str(tab["count"]) for tab in first.context["tabs"]} == {"To do": "1", "Set aside": "0"}
    counts = {item.label: str(item.count) for item in first.context["navigation"]}
    assert counts["Intake failures"] == "1"
    assert browser.get(page_of_gap(gap)).status_code == 200

    address = page_of_gap(gap, "sequence_gap_set_aside")
    assert browser.post(address, {"because": " "}).status_code == 422
    assert browser.post(address, {"because": "Test items of theirs."}).status_code == 302
    event = timeline("pull_source:partner")[-1]
    assert (event.action, event.actor, event.because) == ("pull_source.gap_set_aside", "clara", "Test items of theirs.")
    assert browser.post(address, {"because": "Again."}).status_code == 409
    assert list(browser.get(LIST).context["gaps"]) == []
    assert list(browser.get(LIST, {"show": "set-aside"}).context["gaps"]) == [gap]


def test_young_gap_is_shown_with_its_source_only(cast, signed_in):
    source = make_source(cast)
    missing(source, overdue=False)
    browser = signed_in(cast.clerk)
    assert list(browser.get(LIST).context["gaps"]) == []
    assert "2 to 4" in browser.get(page(source)).content.decode()


def test_gap_that_was_set_aside_closes_when_the_items_come(cast, signed_in):
    source = make_source(cast)
    gap = missing(source)
    actions.set_gap_aside(gap.pk, by=cast.clerk, at=MORNING, because="Lost.")
    gaps.note(source, [2, 3, 4], highest=5, first=None, overdue_after=timedelta(hours=1), at=MORNING)
    gap.refresh_from_db()
    assert (gap.closed_at, gap.missing) == (MORNING, [])
    browser = signed_in(cast.clerk)
    assert list(browser.get(LIST, {"show": "set-aside"}).context["gaps"]) == []
    assert "Came after all" in browser.get(page_of_gap(gap)).content.decode()
    with pytest.raises(MessageRefused, match="came after all"):
        actions.set_gap_aside(gap.pk, by=cast.clerk, at=MORNING, because="x")


@pytest.mark.parametrize("who", ["support", "auditor", "controller"])
def test_who_does_not_tend_the_connection_sets_no_gap_aside(cast, signed_in, who):
    gap = missing(make_source(cast))
    with pytest.raises(NotPermitted, match="It needs the permission to correct"):
        actions.set_gap_aside(gap.pk, by=getattr(cast, who), at=MORNING, because="x")
    assert signed_in(getattr(cast, who)).get(page_of_gap(gap)).status_code == 404


def test_files_that_wait_too_long_are_named_to_who_cares_for_them(cast, signed_in):
    source = make_source(cast, kind="sftp")
    since = now() - timedelta(hours=2)
    young = now().isoformat()
    note(source, cursor={"waiting": {"INV-1.xml": since.isoformat(), "INV-2.xml": young}})
    browser = signed_in(cast.clerk)
    assert [file.name for file in browser.get(LIST).context["waiting"]] == ["INV-1.xml"]
    shown = browser.get(page(source)).content.decode()
    assert ("INV-1.xml" in shown, "INV-2.xml" in shown) == (True, False)
    for_support = signed_in(cast.support).get(page(source)).content.decode()
    assert ("INV-1.xml" in for_support, "1 file waits there" in for_support) == (False, True)


def test_file_that_could_not_be_taken_in_names_its_source(cast, signed_in):
    source = make_source(cast, kind="sftp")
    file = FolderProblem.objects.create(
        connection=cast.connection, pull_source=source, file_name="big.xml", quarantined_as="/out/quarantine/1/big.xml",
        problem="The file has 6,000,000 bytes.", found_at=MORNING,
    )  # fmt: skip
    shown = signed_in(cast.clerk).get(reverse("exceptions:quarantined_file", args=[file.pk])).content.decode()
    assert "from Partner partner" in shown


def test_source_is_set_back_by_who_may_configure_and_by_administrators(cast):
    source = make_source(cast)
    note(source, cursor={"cursor": "7", "highest": 9})
    with pytest.raises(NotPermitted):
        actions.set_back(source.pk, cursor="3", by=cast.clerk, at=MORNING, because="x")
    actions.set_back(source.pk, cursor="3", by=configurer(cast), at=MORNING, because="They sent it anew.")
    source.refresh_from_db()
    assert source.cursor == {"cursor": "3", "highest": 9}
    event = timeline("pull_source:partner")[-1]
    assert (event.action, event.data) == ("pull_source.set_back", {"was": "7", "will_be": "3"})
    with pytest.raises(Invalid, match="control characters"):
        actions.set_back(source.pk, cursor="a\n", by=cast.clerk, at=MORNING, because="x")
    call_command("set_source_back", "partner", "--by", "ada", "--because", "From the start.")
    source.refresh_from_db()
    assert source.cursor == {"highest": 9}


def test_command_pulls_and_says_what_came(cast, capsys):
    with scripted(answering("200 OK", b'{"items": [{"id": "a", "payload": "x", "sequence": 1}]}')) as feed:
        make_source(cast, settings={"url": feed.url, "sequence": "/sequence"})
        call_command("pull", "--source", "partner")
    assert capsys.readouterr().out.startswith("1 new, 0 again, 0 could not be taken in.")
    with pytest.raises(CommandError, match="No connection"):
        call_command("pull", "--source", "partner")
    with pytest.raises(CommandError, match="There is no pull source 'nobody'"):
        call_command("pull", "--source", "nobody")


def filled(cast: Cast, source: PullSource | None = None, **more: Any) -> PullSourceForm:
    given = {
        "connection": str(cast.connection.pk), "slug": "partner", "name": "Partner", "kind": "rest",
        "settings": '{"url": "https://feed.example/items"}', "every_seconds": "300", "because": "A new source.",
    }  # fmt: skip
    return PullSourceForm(given | more, instance=source)


def test_form_says_at_its_field_what_is_wrong(cast):
    assert filled(cast, secret="x").errors == {}
    assert filled(cast).errors == {"secret": ["Give the token with which the workbench signs in."]}
    assert filled(cast, secret="x", every_seconds="2").errors["every_seconds"]
    wrong = filled(cast, secret="x", settings='{"ulr": "x"}').errors["settings"]
    assert [text.partition(":")[0] for text in wrong] == ["url", "ulr"]


def test_administrator_configures_a_source_and_never_sees_its_secret(cast, signed_in):
    browser = signed_in(cast.administrator)
    given = dict(filled(cast).data) | {"secret": "S3CRET"}
    assert browser.post(reverse("admin:integrations_pullsource_add"), given).status_code == 302
    source = PullSource.objects.get(slug="partner")
    assert source.secret == "S3CRET"
    address = reverse("admin:integrations_pullsource_change", args=[source.pk])
    assert "S3CRET" not in browser.get(address).content.decode()

    changed = given | {"secret": "", "name": "Another name"}
    assert browser.post(address, changed).status_code == 302
    source.refresh_from_db()
    assert (source.name, source.secret) == ("Another name", "S3CRET")
    key = "-----BEGIN KEY-----\nabc\n"
    assert browser.post(address, changed | {"private_key": key}).status_code == 302
    source.refresh_from_db()
    assert source.secret.replace("\r", "") == key
    event = timeline("pull_source:partner")[-1]
    assert (event.action, event.actor, event.data["changes"]) == (
        "configuration.changed", "ada", {"secret": "replaced"},
    )  # fmt: skip
