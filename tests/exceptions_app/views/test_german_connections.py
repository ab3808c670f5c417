"""German pages of connections, of sending, of what is fetched, of intake failures and of field maps."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import translation
from django.utils.timezone import localtime, now

from exceptions_app.actions import sending as actions
from exceptions_app.actions.field_maps import MapChangedMeanwhile, may_not_map, save_version, use_version
from exceptions_app.queries.field_maps import MapKey, title_of, version_in_words
from exceptions_app.templatetags.wording import gap_numbers, held_because
from exceptions_app.views.spelled import moment, one_of, seconds, share, span
from exceptions_app.wording import told_by
from integrations.delivery import HeldBy, Hold
from integrations.demo.field_maps import deal
from integrations.fieldmaps import words
from integrations.fieldmaps.declaration import read_text
from integrations.models import Direction, SequenceGap
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.test_field_maps import INBOUND, mapping, page, typed
from tests.exceptions_app.views.test_intake_failures import fail
from tests.exceptions_app.views.test_pull_sources import make_source, missing, note
from tests.exceptions_app.views.test_quarantine import quarantined
from tests.german_pages import GERMAN, left_in_english

__all__ = ["mapping"]


@pytest.fixture
def furnished(mapping: Cast) -> Cast:
    """A connection with all that its pages can show."""
    found = mapping.connection
    configure(found, watched_folder="drop", sends_per_minute=30, breaker_after=5, connector="iso20022")
    note(make_source(mapping, "feed"), last_ok_at=MORNING, cursor={"cursor": "c"})
    note(make_source(mapping, "folder", kind="sftp"), failures=2, last_problem="Said nothing.")
    times = {"starts_at": now() + timedelta(days=1), "ends_at": now() + timedelta(days=2)}
    actions.plan_maintenance(found.pk, **times, by=mapping.clerk, at=now(), because="Umzug")
    return mapping


def names(cast: Cast) -> frozenset[str]:
    return frozenset({cast.connection.name, "Partner feed", "Partner folder", "4711", "4711 API", "Umzug", "big.xml"})


def test_no_heading_of_connections_and_sources_is_left_in_english(furnished, signed_in):
    clerk, named = signed_in(furnished.clerk), names(furnished)
    slug = furnished.connection.slug
    gap = missing(make_source(furnished, "third"))
    addresses = [
        reverse("exceptions:connections"),
        reverse("exceptions:connection", args=[slug]),
        reverse("exceptions:connection_sending", args=[slug]),
        reverse("exceptions:pull_source", args=["feed"]),
        reverse("exceptions:pull_source", args=["folder"]),
        reverse("exceptions:pull_source", args=["third"]),
        reverse("exceptions:sequence_gap", args=[gap.pk]),
    ]
    named |= {"Partner third"}
    assert {address: left_in_english(clerk, address, names=named) for address in addresses} == {
        address: set() for address in addresses
    }
    support = signed_in(furnished.support)
    assert left_in_english(support, addresses[1], names=named) == set(), "for who may not configure it"


def test_no_heading_of_intake_failures_is_left_in_english(cast, signed_in):
    message, file = fail(cast), quarantined(cast)
    missing(make_source(cast, "feed"))
    clerk = signed_in(cast.clerk)
    for address in (
        reverse("exceptions:intake_failures"),
        reverse("exceptions:intake_failures") + "?show=set-aside",
        reverse("exceptions:intake_failure", args=[message.pk]),
        reverse("exceptions:quarantined_file", args=[file.pk]),
    ):
        assert left_in_english(clerk, address, names=names(cast)) == set()
    told = clerk.get(reverse("exceptions:intake_failure", args=[message.pk]), **GERMAN).content.decode()
    assert "Zur Seite legen" in told, "the button"
    done = clerk.post(reverse("exceptions:intake_set_aside", args=[message.pk]), {"because": "Doppelt."}, **GERMAN)
    assert "Zur Seite gelegt" in clerk.get(done.headers["Location"], **GERMAN).content.decode(), "what became of it"
    late = clerk.post(reverse("exceptions:intake_read_again", args=[message.pk]), **GERMAN)
    assert "Diese Nachricht ist kein Eingangsfehler mehr. Laden Sie die Seite neu" in late.content.decode()


def test_no_heading_of_field_maps_is_left_in_english(mapping, signed_in):
    save_version(
        mapping.connection.pk, direction="inbound", object_type="invoice", declared=INBOUND.declared + " ",
        note="Zweite.", by=mapping.clerk, at=MORNING,
    )  # fmt: skip
    tables = read_text(INBOUND.declared).tables.values()
    clerk, named = signed_in(mapping.clerk), names(mapping) | {entry for table in tables for entry in table}
    for address in (
        reverse("exceptions:field_maps", args=[mapping.connection.slug]),
        page(mapping),
        page(mapping, "field_map_version", 1),
        page(mapping, "field_map_version", 2),
        page(mapping, "field_map_compare"),
    ):
        left = left_in_english(clerk, address, names=named)
        assert {text for text in left if not text.startswith("/")} == set(), "places in documents are data"
    shown = clerk.post(page(mapping, "field_map_edit"), typed(mapping, pasted=deal().decode()), **GERMAN)
    text = " ".join(shown.content.decode().split())
    assert "Mit „Rechnung vom Quellsystem“ (wie hier geschrieben) und „Rechnung zum Zielsystem“ (Version 1)." in text
    assert "Besteht die Prüfung" in text


def test_a_map_is_called_the_same_here_and_in_the_sentences_of_integrations():
    for direction in Direction:
        assert title_of(MapKey(direction, "journal")) == words.title_of(direction, "journal")
    assert version_in_words(MapKey("inbound", "invoice"), 3) == "“Invoice from the source” (version 3)"


def test_what_may_not_be_is_told_in_german_and_kept_in_english(mapping):
    with translation.override("de"), pytest.raises(MapChangedMeanwhile) as refused:
        use_version(
            mapping.connection.pk, direction="inbound", object_type="invoice", number=None, revision=7,
            because="x", by=mapping.clerk, at=MORNING,
        )  # fmt: skip
    assert str(refused.value) == "Someone switched this map since you looked at it."
    with translation.override("de"):
        assert told_by(refused.value).startswith("Jemand hat diese Zuordnung umgeschaltet")
    assert may_not_map(mapping.connection).startswith("You may not change field maps of")


def test_reason_of_a_person_stays_and_ours_is_in_the_readers_language():
    paused, unsaid = Hold(HeldBy.PAUSED, "New"), Hold(HeldBy.PAUSED)
    broken = Hold(HeldBy.BREAKER, "503 {x}.")
    assert (paused.because, unsaid.because) == ("New", "No reason was given.")
    assert broken.because == "503 {x}. One document is tried now and then; when it goes through, all go on."
    assert Hold(HeldBy.PACED, "30").because == "At most 30 documents a minute are sent there."
    assert all(held_because(hold) == hold.because for hold in (paused, unsaid, broken))
    with translation.override("de"):
        assert held_because(paused) == "New", "what a person typed is no word of ours"
        assert held_because(unsaid) == "Es wurde kein Grund angegeben."
        assert held_because(broken) == "503 {x}. Ab und zu wird ein Beleg versucht; geht er durch, gehen alle weiter."
        assert held_because(Hold(HeldBy.PACED, "30")) == "Höchstens 30 Belege pro Minute werden dorthin gesendet."


def test_times_and_lists_are_spelled_as_the_reader_has_them():
    gap = SequenceGap(first=17, last=19)
    assert (span(timedelta(hours=2)), seconds(1), share(0.2), one_of(["a", "b", "c"])) == (
        "2 hours", "1 second", "20%", "a or b or c",
    )  # fmt: skip
    assert (gap_numbers(gap), gap_numbers(SequenceGap(first=4, last=4)), one_of([])) == (str(gap), "4", "")
    assert moment(MORNING) == f"{localtime(MORNING):%d %b %Y, %H:%M}"
    with translation.override("de"):
        assert (span(timedelta(hours=2)), seconds(30)) == ("2 Stunden", "30 Sekunden")
        assert share(0.2) == "20\N{NO-BREAK SPACE}%"
        assert (one_of(["a", "b"]), gap_numbers(gap)) == ("a oder b", "17 bis 19")
