"""What must hold of the outbox whatever happened to whom: read from the database and the target's own book."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from django.db import connection as database

from audit.queries import timeline
from exceptions_app.models import ExceptionCase
from exceptions_app.states import OPEN_STATES, State
from integrations.models import Delivery, DeliveryAttempt

# Each finds rows that must not be; the words are what each row would mean.
_NEVER: Mapping[str, str] = {
    "two live deliveries of one document": """
        SELECT connection_id, operation, object_type, business_key FROM integrations_delivery
        WHERE state IN ('queued', 'probing', 'sending', 'unknown') GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    "two confirmed deliveries of one document": """
        SELECT connection_id, operation, object_type, business_key FROM integrations_delivery
        WHERE state = 'confirmed' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    "one key for two contents": """
        SELECT key FROM integrations_delivery GROUP BY key HAVING count(DISTINCT content_sha256) > 1""",
    "an attempt at other bytes than were approved": """
        SELECT t.id FROM integrations_deliveryattempt t JOIN integrations_delivery d ON d.id = t.delivery_id
        WHERE t.content_sha256 <> d.content_sha256""",
    "bytes that are not those of their hash": """
        SELECT d.id FROM integrations_delivery d JOIN integrations_deliverycontent c ON c.delivery_id = d.id
        WHERE encode(sha256(c.body), 'hex') <> d.content_sha256""",
    "an attempt under a claim that was never made": """
        SELECT t.id FROM integrations_deliveryattempt t JOIN integrations_delivery d ON d.id = t.delivery_id
        WHERE t.epoch > d.epoch OR t.epoch < 1""",
    "a second send with no question after the first, unless it provably came to nothing": """
        SELECT later.id FROM integrations_deliveryattempt later
        JOIN integrations_delivery d ON d.id = later.delivery_id AND d.operation = 'submit'
        JOIN integrations_deliveryattempt earlier ON earlier.delivery_id = later.delivery_id
            AND earlier.phase = 'send' AND earlier.id < later.id
        LEFT JOIN integrations_deliveryanswer a ON a.attempt_id = earlier.id
        WHERE later.phase = 'send' AND coalesce(a.outcome, '') NOT IN ('not_sent', 'misconfigured') AND NOT EXISTS (
            SELECT 1 FROM integrations_deliveryattempt asked JOIN integrations_deliveryanswer said
                ON said.attempt_id = asked.id AND said.outcome = 'absent'
            WHERE asked.delivery_id = later.delivery_id AND asked.id > earlier.id AND asked.id < later.id)""",
    "a confirmed delivery without an answer that confirms it": """
        SELECT d.id FROM integrations_delivery d WHERE d.state IN ('confirmed', 'already_there') AND NOT EXISTS (
            SELECT 1 FROM integrations_deliveryattempt t JOIN integrations_deliveryanswer a ON a.attempt_id = t.id
            WHERE t.delivery_id = d.id AND a.outcome IN ('confirmed', 'same'))""",
    "a resolved exception without a delivery that is booked": """
        SELECT e.id FROM exceptions_app_exceptioncase e WHERE e.state = 'resolved' AND e.outcome <> '' AND NOT EXISTS (
            SELECT 1 FROM integrations_delivery d WHERE d.subject = 'case:EX-' || e.id AND d.operation = 'submit'
                AND d.state IN ('confirmed', 'already_there') AND d.reference = e.reference)""",
    "a booked delivery whose exception is still open": """
        SELECT e.id FROM exceptions_app_exceptioncase e JOIN integrations_delivery d
            ON d.subject = 'case:EX-' || e.id AND d.operation = 'submit' AND d.state IN ('confirmed', 'already_there')
        WHERE e.state IN ('replaying', 'outcome_unknown')""",
    "an exception under way with nothing in the outbox": """
        SELECT e.id FROM exceptions_app_exceptioncase e
        WHERE e.state IN ('replaying', 'outcome_unknown') AND NOT EXISTS (
            SELECT 1 FROM integrations_delivery d WHERE d.subject = 'case:EX-' || e.id AND d.operation = 'submit'
                AND d.state IN ('queued', 'probing', 'sending', 'unknown'))""",
    "a decision by somebody with a hand in it": """
        SELECT v.id FROM exceptions_app_decision v JOIN exceptions_app_contributor c
            ON c.proposal_id = v.proposal_id AND c.person_id = v.decider_id""",
}


def unsound() -> list[str]:
    """What holds no longer, in words; empty when all is well. Reads everything, and so is for the end."""
    found = []
    with database.cursor() as cursor:
        for words, statement in _NEVER.items():
            cursor.execute(statement)
            rows = cursor.fetchall()
            if rows:
                found.append(f"{words}: {rows[:5]}")
    return found + [wrong for case in ExceptionCase.objects.all() for wrong in _wrong_in_its_history(case)]


def _wrong_in_its_history(case: ExceptionCase) -> list[str]:
    """Each move of the trail begins where the one before it ended, and the last one ends where the exception is."""
    moves = [event.data for event in timeline(case.subject) if "from" in event.data and "to" in event.data]
    wrong = [
        f"{case.ref} went on from {later['from']} after {earlier['to']}"
        for earlier, later in pairwise(moves)
        if later["from"] != earlier["to"]
    ]
    if moves and moves[-1]["to"] != case.state:
        wrong.append(f"{case.ref} is {case.state} and its history ends in {moves[-1]['to']}")
    ended = sum(event.action == "case.resolved" for event in timeline(case.subject))
    if ended != (case.state == State.RESOLVED):
        wrong.append(f"{case.ref} is {case.state} and was resolved {ended} times")
    return wrong


def sent_without_an_intent(attempts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every request that the target saw under a key of ours was preceded by an intent under that key.

    `attempts` are the target's; those under other people's keys are passed over.
    """
    seen = Counter(attempt["key"] for attempt in attempts)
    intents = DeliveryAttempt.objects.filter(phase=DeliveryAttempt.Phase.SEND, envelope=None)
    ours = Counter(intents.values_list("delivery__key", flat=True))
    known = set(Delivery.objects.values_list("key", flat=True))
    return [f"{key}: {seen[key]} requests and {ours[key]} intents" for key in known if seen[key] > ours[key]]


def still_under_way() -> list[str]:
    live = Delivery.objects.filter(state__in=Delivery.LIVE)
    return [f"{delivery} {delivery.subject}: {delivery.detail}" for delivery in live] + [
        f"{case.ref} is {case.state}"
        for case in ExceptionCase.objects.filter(state__in=OPEN_STATES)
        if case.state in (State.REPLAYING, State.OUTCOME_UNKNOWN)
    ]
