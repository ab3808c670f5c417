"""What is suggested from exceptions that ended well: the right value where there is one, and nothing else."""

from collections.abc import Iterator

import pytest

from exceptions_app.masked_fields import MASKED, may_be_carried
from exceptions_app.models import Cause, ExceptionCase
from exceptions_app.queries.precedents import Asked, Example, Precedent, precedents_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.states import Outcome
from integrations.connectors.en16931.terms import INVOICE_TERMS
from integrations.connectors.erp.terms import LAYOUTS
from integrations.connectors.erp_master.terms import TERMS as MASTER_TERMS
from integrations.connectors.registry import CONNECTORS
from integrations.records.record import RecordField, ValueKind
from tests.cast import Cast
from tests.exceptions_app.precedents.resolved import LABEL, RIGHT, TERM, WRONG, refused, resolved
from tests.exceptions_app.views.repair import field
from workbench.models import User


@pytest.fixture
def case(cast: Cast) -> ExceptionCase:
    """As a page has read it."""
    return ExceptionCase.objects.select_related("connection", "cause").get(pk=refused(cast).pk)


@pytest.fixture
def cause(case: ExceptionCase) -> Cause:
    return case.cause


def suggested(case: ExceptionCase, who: User, *, was: str = WRONG, term: str = TERM) -> Precedent | None:
    place = field(case, term)
    asked = Asked(place, {case.cause.code}, was)
    return precedents_of(case, [asked], reach_of(who)).get(place.path)


def test_value_on_which_most_agree_is_suggested_with_its_cases(cast, case, cause):
    right = [resolved(cast, cause, RIGHT) for _ in range(4)]
    resolved(cast, cause, "KGM")
    found = suggested(case, cast.clerk)
    assert found is not None
    assert (found.was, found.value, found.agreeing, found.of, found.beyond) == (WRONG, RIGHT, 4, 5, 1)
    assert found.examples == [Example(one.ref, one.document_number) for one in right[:0:-1]]


def test_value_that_was_corrected_twice_counts_as_it_ended(cast, case, cause):
    for _ in range(2):
        resolved(cast, cause, "KGM", RIGHT)
    found = suggested(case, cast.clerk)
    assert found is not None
    assert (found.value, found.agreeing, found.of) == (RIGHT, 2, 2)


@pytest.mark.parametrize("values", [[RIGHT], [RIGHT, RIGHT, "KGM", "KGM"], [RIGHT, "KGM", "MTR"], ["", ""]])
def test_too_few_that_agree_are_no_precedent(cast, case, cause, values):
    for value in values:
        resolved(cast, cause, value)
    assert suggested(case, cast.clerk) is None


def test_only_what_ended_well_with_the_same_problem_and_the_same_old_value_counts(cast, case, cause):
    other = Cause.objects.create(
        fingerprint="other", connector="en16931", code="BR-03", title="Another", first_seen_at=case.opened_at
    )
    for _ in range(2):
        resolved(cast, other, RIGHT)
        resolved(cast, cause, RIGHT, was="BOX")
        resolved(cast, cause, RIGHT, term="BT-150", label="Item price base quantity unit")
        resolved(cast, cause, RIGHT, outcome=Outcome.REVERSED)
    assert suggested(case, cast.clerk) is None


def test_only_exceptions_that_the_person_may_see_are_counted_and_named(cast, case, cause):
    for _ in range(2):
        resolved(cast, cause, RIGHT, entity=cast.germany)
    assert suggested(case, cast.local_clerk) is None
    assert suggested(case, cast.clerk) is not None


def test_missing_value_is_taken_from_the_same_counterparty_alone(cast, case, cause):
    for _ in range(2):
        resolved(cast, cause, "PO-77", was="", term="BT-10", label="Buyer reference", counterparty="Somebody else")
    assert suggested(case, cast.clerk, was="", term="BT-10") is None
    for _ in range(2):
        resolved(cast, cause, "PO-99", was="", term="BT-10", label="Buyer reference", counterparty=case.counterparty)
    found = suggested(case, cast.clerk, was="", term="BT-10")
    assert found is not None
    assert (found.value, found.agreeing, found.of) == ("PO-99", 2, 2)


@pytest.mark.parametrize("term", ["BT-44", "BT-48", "BT-31", "BT-84", "BT-112", "BT-2"])
def test_nothing_is_suggested_or_even_read_for_what_is_masked_or_of_one_document(
    cast, case, cause, django_assert_num_queries, term
):
    place = field(case, term)
    for _ in range(2):
        resolved(cast, cause, "x", was=place.value or "", term=term, label=place.label)
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(0):
        assert precedents_of(case, [Asked(place, {cause.code}, place.value or "")], reach) == {}


@pytest.mark.parametrize("count", [1, 3])
def test_one_query_for_any_number_of_fields_and_cases(cast, case, cause, django_assert_num_queries, count):
    for _ in range(count):
        resolved(cast, cause, RIGHT)
    asked = [Asked(field(case, term), {cause.code}, WRONG) for term in (TERM, "BT-10", "BT-118")[:count]]
    reach = reach_of(cast.clerk)
    with django_assert_num_queries(1):
        precedents_of(case, asked, reach)


def known_fields() -> Iterator[tuple[str, str, str]]:
    for connector, terms in (
        ("en16931", INVOICE_TERMS),
        ("erp_master", MASTER_TERMS),
    ):
        yield from ((connector, name, term.label) for name, term in terms.items())
    for layout in LAYOUTS.values():
        yield from (("erp", name, term.label) for name, term in {**layout.head, **layout.line}.items())


def test_masks_are_declared_for_every_connector_and_for_fields_that_it_has():
    assert MASKED.keys() == CONNECTORS.keys()
    known = {(connector, name) for connector, name, _ in known_fields()}
    declared = {(name, term) for name, terms in MASKED.items() for term in terms if name != "iso20022"}
    assert declared <= known


def test_fields_whose_label_speaks_of_banks_taxes_or_people_are_masked():
    telling = (
        "IBAN", "BIC", "VAT identifier", "tax registration", "legal registration identifier", "account identifier",
        "card", "contact", "seller name", "buyer name", "payee name", "holder", "customer name", "address line", "city",
        "post code", "subdivision", "country code", "invoice number", "note", "reason text",
        "item name", "item description", "legal information", "trading name", "payment terms text",
    )  # fmt: skip
    open_ones = [
        (connector, name, label)
        for connector, name, label in known_fields()
        if name not in MASKED[connector] and any(word.lower() in label.lower() for word in telling)
    ]
    assert open_ones == [("en16931", "BT-25", "Preceding invoice number")]


def test_no_text_of_an_invoice_is_carried_but_the_references_by_which_the_buyer_books():
    texts = {number for number, term in INVOICE_TERMS.items() if term.kind is ValueKind.TEXT}
    assert texts - MASKED["en16931"] == {"BT-10", "BT-19", "BT-133"}


@pytest.mark.parametrize(
    ("connector", "term", "path", "carried"),
    [
        ("iso20022", "CdtrAcct/Id/IBAN", "/Document/x", False),
        ("iso20022", "Cdtr/Nm", "/Document/x", False),
        ("iso20022", "ChrgBr", "/Document/x", True),
        ("iso20022", "PmtId/EndToEndId", "/Document/x", False),
        ("iso20022", "PmtId/UETR", "/Document/x", False),
        ("iso20022", "MsgId", "/Document/x", False),
        ("iso20022", "PmtInfId", "/Document/x", False),
        ("erp", "", "/number", False),
        ("erp", "", "/reference", False),
        ("erp", "", "/lines/0/tax_code", True),
        ("erp", "", "/customer_vat_id", False),
        ("erp", "", "/a_field_of_the_source", False),
        ("erp_master", "", "/iban", False),
        ("erp_master", "", "/payment_terms", True),
        ("erp_master", "", "/id", False),
        ("en16931", "BT-1", "/x", False),
        ("en16931", "BT-22", "/x", False),
        ("en16931", "BT-36", "/x", False),
        ("en16931", "BT-40", "/x", False),
        ("en16931", "BT-71", "/x", False),
        ("en16931", "BT-153", "/x", False),
        ("en16931", "BT-19", "/x", True),
        ("en16931", "BT-133", "/x", True),
        ("en16931", "", "/Invoice/cbc:ID", False),
        ("unheard_of", "BT-10", "/x", False),
    ],
)
def test_field_may_be_carried_when_it_is_known_and_not_masked(connector, term, path, carried):
    place = RecordField(term, LABEL, "Group", ValueKind.CODE, path, "V0")
    assert may_be_carried(place, connector=connector) is carried
