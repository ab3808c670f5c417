"""What a delivery that ended proves about its target."""

import pytest
from django.db import transaction

from integrations import delivery as engine
from integrations.connectors.base import Answer, AnswerKind, Observation, Presence
from integrations.delivery.attempts import note_answer
from integrations.effects import effects_under, note_listed
from integrations.models import Delivery, DeliveryAttempt, Effect
from tests.cast import MORNING, Cast
from tests.integrations.enqueued import enqueue, let_leases_end

pytestmark = pytest.mark.django_db

_S = Delivery.State


def end(delivery: Delivery, state: Delivery.State, answer: Answer | Observation | None, *, reference: str) -> Delivery:
    """Claim it, note what was answered, and settle it."""
    let_leases_end()
    [claim] = engine.claim(limit=1)
    assert claim.delivery == delivery
    if isinstance(answer, Answer):
        attempt = engine.begin(claim, DeliveryAttempt.Phase.SEND, _S.SENDING)
        note_answer(attempt, answer.kind, answer)
    elif answer is not None:
        attempt = engine.begin(claim, DeliveryAttempt.Phase.PROBE, _S.PROBING)
        note_answer(attempt, answer.presence, answer)
    with transaction.atomic():
        settled = engine.settle(engine.Settlement(claim.delivery, claim.epoch, state, reference))
    assert settled is not None
    return settled


@pytest.mark.parametrize(
    ("answer", "state", "seen"),
    [
        (Answer(AnswerKind.CONFIRMED), _S.CONFIRMED, [("confirmed", True)]),
        (Observation(Presence.SAME), _S.ALREADY_THERE, [("probe", True)]),
        (Observation(Presence.SAME), _S.CONFIRMED, [("probe", True)]),
        (Observation(Presence.DIFFERENT), _S.CONFLICT, [("probe", False)]),
        (Observation(Presence.ABSENT), _S.CONFLICT, []),  # it says that it has it, and does not have it
        (None, _S.CONFIRMED, [("evidence", True)]),  # people proved it
        (Answer(AnswerKind.REFUSED), _S.REFUSED, []),
        (Answer(AnswerKind.UNKNOWN), _S.UNKNOWN, []),
        (None, _S.CANCELLED, []),
    ],
)
def test_end_of_a_delivery_leaves_its_effect(
    cast: Cast, answer: Answer | Observation | None, state: Delivery.State, seen: list[tuple[str, bool]]
):
    delivery = end(enqueue(cast.connection), state, answer, reference="CLR-1" if seen else "")
    found = list(Effect.objects.all())
    assert [(effect.seen_by, effect.is_ours) for effect in found] == seen
    for effect in found:
        assert (effect.delivery, effect.reference, effect.business_key) == (delivery, "CLR-1", delivery.business_key)
        assert effect.content_sha256 == delivery.content_sha256
        assert (effect.answer is None) is (effect.seen_by == "evidence")


def test_answer_of_an_earlier_claim_is_no_evidence_of_the_last(cast: Cast):
    delivery = enqueue(cast.connection)
    end(delivery, _S.UNKNOWN, Observation(Presence.SAME), reference="")
    end(delivery, _S.CONFIRMED, None, reference="CLR-1")
    assert list(Effect.objects.values_list("seen_by", flat=True)) == ["evidence"]


def test_word_to_a_source_is_no_effect(cast: Cast):
    delivery = enqueue(cast.connection, operation=Delivery.Operation.WRITE_BACK)
    end(delivery, _S.CONFIRMED, Answer(AnswerKind.CONFIRMED), reference="x")
    assert not Effect.objects.exists()


def test_second_effect_stands_beside_the_first(cast: Cast):
    first = end(enqueue(cast.connection), _S.CONFIRMED, Answer(AnswerKind.CONFIRMED), reference="CLR-1")
    note_listed(first, reference="CLR-2", is_ours=True, told={"clearance": "CLR-2"}, at=MORNING)
    second = end(enqueue(cast.connection), _S.CONFIRMED, Answer(AnswerKind.CONFIRMED), reference="CLR-3")
    assert second.state == "conflict"  # one confirmed delivery is the rule
    found = effects_under(first).order_by("pk").values_list("reference", "seen_by", "is_ours")
    assert list(found) == [("CLR-1", "confirmed", True), ("CLR-2", "comparison", True), ("CLR-3", "confirmed", True)]


def test_reversal_is_claimed_before_words_to_a_source(cast: Cast):
    told = enqueue(cast.connection, 1, operation=Delivery.Operation.WRITE_BACK)
    reversal = enqueue(cast.connection, 2, operation=Delivery.Operation.REVERSE)
    assert [claim.delivery for claim in engine.claim(limit=8)] == [reversal]
    assert [claim.delivery for claim in engine.claim(limit=8)] == [told]
