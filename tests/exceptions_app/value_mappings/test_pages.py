"""The pages of value mappings, without JavaScript."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from exceptions_app.models import MappingEntry, MappingProposal
from integrations.value_kinds import ValueKind
from tests.cast import Cast
from tests.exceptions_app.value_mappings.mapping import WHY, mapped, propose, row
from workbench.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
TYPED = {
    "kind": "product_family", "connection": "tax-authority", "entity": "NL01", "queue": "e-invoicing",
    "source_value": "ROBOTICS", "target_value": "800400", "valid_from": "2026-11-01", "valid_to": "", "because": WHY,
}  # fmt: skip


def text_of(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def page(proposal: MappingProposal, action: str = "") -> str:
    return reverse(f"exceptions:mapping_{action or 'proposal'}", args=[proposal.ref])


def test_clerk_proposes_and_controller_approves_what_they_are_shown(cast: Cast, signed_in: SignIn):
    clerk, controller = signed_in(cast.clerk), signed_in(cast.controller)
    assert "There is no value mapping" in text_of(clerk.get(reverse("exceptions:value_mappings")))
    answer = clerk.post(reverse("exceptions:value_mapping_propose"), TYPED)
    proposal = MappingProposal.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page(proposal))
    own = text_of(clerk.get(page(proposal)))
    assert "You proposed this mapping; someone else must decide." in own
    assert "Approve the mapping" not in own

    waiting = text_of(controller.get(reverse("exceptions:approvals")))
    assert f"{proposal.ref} · Product families to Tax authority, NL01" in waiting
    shown = text_of(controller.get(page(proposal)))
    assert "<code>ROBOTICS</code>" in shown
    assert "<code>800400</code>" in shown
    assert "not mapped" in shown
    unticked = controller.post(page(proposal, "approve"), {"frozen_sha256": proposal.frozen_sha256})
    assert unticked.status_code == 422
    assert "Confirm that you looked at the rows. Nothing was approved." in text_of(unticked)
    answer = controller.post(page(proposal, "approve"), {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"})
    assert (answer.status_code, answer["Location"]) == (302, page(proposal))
    again = controller.post(page(proposal, "approve"), {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"})
    assert again.status_code == 409
    assert f"You approved {proposal.ref} already." in text_of(again)
    typed = {"frozen_sha256": proposal.frozen_sha256, "agreed": "on"}
    german = controller.post(page(proposal, "approve"), typed, headers={"Accept-Language": "de"})
    assert f"Sie haben {proposal.ref} schon genehmigt." in text_of(german)

    detail = text_of(clerk.get(reverse("exceptions:value_mapping", args=[proposal.mapping.ref])))
    assert "version 1" in detail
    assert "Rows of a value mapping approved" in detail
    assert "approved by" in detail


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"source_value": ""}, "Write the value as the source sends it."),
        ({"valid_from": "1.11.2026"}, "Write the day as year, month and day: 2026-11-30."),
        ({"valid_to": "2026-10-01"}, "It is before the first day, 2026-11-01."),
        ({"target_value": ""}, "nothing holds on these days that could end"),
        ({"queue": ""}, "Choose the team that owns this mapping."),
        ({"because": ""}, "Say why these values belong together"),
    ],
)
def test_what_cannot_be_used_is_said_and_what_was_typed_is_kept(
    cast: Cast, signed_in: SignIn, typed: dict[str, str], says: str
):
    answer = signed_in(cast.clerk).post(reverse("exceptions:value_mapping_propose"), TYPED | typed)
    assert answer.status_code == 422
    shown = text_of(answer)
    assert says in shown
    assert 'value="ROBOTICS"' in shown or "source_value" in typed
    assert not MappingProposal.objects.exists()


def test_form_is_filled_in_by_its_address(cast: Cast, signed_in: SignIn):
    mapping = mapped(cast)
    client = signed_in(cast.clerk)
    shown = text_of(client.get(reverse("exceptions:value_mapping_new"), {"mapping": mapping.ref, "source_value": "X"}))
    assert '<option value="product_family" selected>' in shown
    assert '<option value="NL01" selected>' in shown
    assert 'value="X"' in shown


def test_rejected_and_withdrawn_say_so(cast: Cast, signed_in: SignIn):
    first, second = propose(cast), propose(cast, row("DRONES"))
    controller = signed_in(cast.controller)
    frozen = {"frozen_sha256": first.frozen_sha256}
    assert controller.post(page(first, "reject"), {**frozen, "because": " "}).status_code == 422
    assert controller.post(page(first, "reject"), {**frozen, "because": "Use 800500."}).status_code == 302
    assert "“Use 800500.”" in text_of(controller.get(page(first)))
    assert controller.post(page(second, "withdraw"), {}).status_code == 403
    clerk = signed_in(cast.clerk)
    assert clerk.post(page(second, "withdraw"), {"because": "Asked again."}).status_code == 302
    assert "“Asked again.”" in text_of(clerk.get(page(second)))


def test_own_proposal_is_among_what_was_prepared(cast: Cast, signed_in: SignIn):
    proposal = propose(cast)
    client = signed_in(cast.clerk)
    assert proposal.ref in text_of(client.get(reverse("exceptions:approvals"), {"show": "prepared"}))


def test_who_may_see_neither_learns_nothing(cast: Cast, signed_in: SignIn):
    proposal = propose(cast)
    for client in (signed_in(cast.outsider), signed_in(cast.administrator)):
        assert client.get(page(proposal)).status_code == 404
        assert client.get(reverse("exceptions:value_mapping", args=[proposal.mapping.ref])).status_code == 404
        assert proposal.mapping.ref not in text_of(client.get(reverse("exceptions:value_mappings")))
        assert client.post(page(proposal, "approve"), {"frozen_sha256": "x", "agreed": "on"}).status_code == 404
    support = signed_in(cast.support)
    assert support.get(page(proposal)).status_code == 200
    assert "Propose a mapping" not in text_of(support.get(reverse("exceptions:value_mappings")))


def test_list_is_filtered_and_searched(cast: Cast, signed_in: SignIn):
    families, taxes = mapped(cast), mapped(cast, row("V20", "V21"), kind="tax_code")
    client = signed_in(cast.support)
    address = reverse("exceptions:value_mappings")
    assert taxes.ref not in text_of(client.get(address, {"kind": "product_family"}))
    found = text_of(client.get(address, {"contains": "v2"}))
    assert taxes.ref in found
    assert families.ref not in found
    assert "No value mapping matches" in text_of(client.get(address, {"contains": "none"}))


def test_replaced_rows_stay_to_be_seen(cast: Cast, signed_in: SignIn):
    mapped(cast, row())
    mapping = mapped(cast, row(target="800401"))
    client = signed_in(cast.support)
    address = reverse("exceptions:value_mapping", args=[mapping.ref])
    assert "<code>800400</code>" not in text_of(client.get(address))
    assert "<code>800400</code>" in text_of(client.get(address, {"show": "replaced"}))
    assert "No row matches" in text_of(client.get(address, {"contains": "800400"}))


def _queries(client: Client, address: str, **query: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address, query).status_code == 200
    return len(seen)


def test_queries_do_not_grow_with_the_rows(cast: Cast, signed_in: SignIn):
    """At 1, 3 and 50 rows of a mapping and of a proposal."""
    client = signed_in(cast.controller)
    counts: dict[str, set[int]] = {"rows": set(), "proposal": set()}
    begun = 0
    for number in (1, 3, 50):
        proposal = propose(cast, *(row(f"F{index}") for index in range(begun, number)))
        counts["proposal"].add(_queries(client, page(proposal)))
        mapped(cast, *(row(f"G{index}") for index in range(begun, number)))
        address = reverse("exceptions:value_mapping", args=[proposal.mapping.ref])
        counts["rows"].add(_queries(client, address))
        begun = number
    assert MappingEntry.objects.count() == 50
    assert {name: len(found) for name, found in counts.items()} == {"rows": 1, "proposal": 1}, counts
    assert max(counts["rows"]) <= 20, counts
    assert max(counts["proposal"]) <= 20, counts


def test_queries_of_the_lists_do_not_grow_with_the_mappings(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.controller)
    kinds = iter(ValueKind)
    counts = set()
    approvals = set()
    for number in (1, 2, 4):
        for _ in range(number):
            propose(cast, kind=next(kinds).value)
        counts.add(_queries(client, reverse("exceptions:value_mappings")))
        approvals.add(_queries(client, reverse("exceptions:approvals")))
    assert len(counts) == 1, counts
    assert len(approvals) == 1, approvals
