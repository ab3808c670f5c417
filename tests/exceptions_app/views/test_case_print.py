"""One exception on paper: everything that is known of it, and nothing to press."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from exceptions_app.actions.work import comment
from tests import factories
from tests.cast import MORNING


def test_paper_has_the_whole_history_and_no_form(cast, signed_in):
    case = factories.claim(factories.make_case(cast, number="INV-1"), cast.clerk)
    factories.make_version(case, cast.clerk)
    comment(case.pk, by=cast.clerk, at=MORNING, text="Taken from the order 4711.")
    browser = signed_in(cast.clerk)
    text = browser.get(reverse("exceptions:case_print", kwargs={"ref": case.ref})).content.decode()
    main = text[text.index("<main") : text.index("</main>")]
    assert "<form" not in main
    for wanted in ("INV-1", "Taken from the order 4711.", "Version 2", "Messages", "None.", "printed by Clara Clerk"):
        assert wanted in main
    link = reverse("exceptions:case_print", kwargs={"ref": case.ref})
    assert link in browser.get(reverse("exceptions:case", kwargs={"ref": case.ref})).content.decode()
    assert link not in main


def test_paper_is_for_who_sees_the_exception(cast, signed_in):
    case = factories.make_case(cast)
    address = reverse("exceptions:case_print", kwargs={"ref": case.ref})
    for who, status in ((cast.auditor, 200), (cast.support, 200), (cast.outsider, 404)):
        assert signed_in(who).get(address).status_code == status


def test_long_history_is_cut_with_a_word_and_costs_no_more(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.support)
    address = reverse("exceptions:case_print", kwargs={"ref": case.ref})
    browser.get(address)
    with CaptureQueriesContext(connection) as short:
        browser.get(address)
    for _ in range(60):
        comment(case.pk, by=cast.clerk, at=MORNING, text="Again.")
    with CaptureQueriesContext(connection) as long:
        assert "the newest 50 of 61" in browser.get(address).content.decode()
    assert len(long) == len(short)
