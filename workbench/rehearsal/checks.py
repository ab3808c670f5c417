"""The checks of a rehearsal. Each returns what is wrong, in words; nothing when all is well."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from exceptions_app.wording import say
from workbench.rehearsal.evidence import LIVE, Attempt, Case, Evidence, Sent, number_of

RESOLVED: Final = "resolved"
# Where the exception is in nobody's hands: it is being replayed, and waits for a machine.
_WITH_A_MACHINE: Final = "replaying"
_OUTCOME_UNKNOWN: Final = "outcome_unknown"
_PROVABLY_NOT_SENT: Final = frozenset({"not_sent", "misconfigured"})
_PHASES_THAT_ASK: Final = frozenset({"probe", "compare"})


def replays(evidence: Evidence) -> int:
    """Documents whose replay was approved; twins are one document, and what has no delivery is one by itself."""
    approved = _approved(evidence)
    documents = {delivery.business_key for case in approved for delivery in evidence.by_case.get(case.id, ())}
    return len(documents) + sum(not evidence.by_case.get(case.id) for case in approved)


def lost(evidence: Evidence) -> list[str]:
    """Approved, not at the target, and in front of nobody."""
    found = [f"case {key}: its approval was confirmed and is gone" for key in _unknown_approvals(evidence)]
    return found + [
        f"case {case.id}: {case.state}, and nothing is at the target"
        for case in _approved(evidence)
        if not _is_told(evidence, case) and not evidence.effects_for(case)
    ]


def doubled(evidence: Evidence) -> list[str]:
    """One for each effect beyond the first of a document."""
    return [
        f"{key}: {number_of(effect)} beside {number_of(effects[0])}"
        for key, effects in evidence.effects.items()
        for effect in effects[1:]
    ]


def second_found(evidence: Evidence) -> list[str]:
    """Where the target has a list, a second effect does not stay unseen."""
    if not evidence.compared:
        return []
    return [
        f"{key}: stands there {len(effects)} times, and the comparison with the target's list did not say so"
        for key, effects in evidence.effects.items()
        if len(effects) > 1 and key not in evidence.flagged
    ]


def false_resolved(evidence: Evidence) -> list[str]:
    """Resolved, and the target does not have these bytes under the number that was noted."""
    found = []
    for case in evidence.cases.values():
        if case.state != RESOLVED:
            continue
        sent = {delivery.content_sha256 for delivery in evidence.by_case.get(case.id, ())}
        booked = {number_of(effect) for effect in evidence.effects_for(case) if effect["sha256"] in sent}
        if case.reference not in booked:
            found.append(f"case {case.id}: resolved as {case.reference}, booked are {sorted(booked)}")
    return found


def waiting_for_person(evidence: Evidence) -> list[str]:
    """No fault: what the workbench put before a person, rather than guess."""
    return [f"case {case.id}: {case.state}" for case in _approved(evidence) if _is_told(evidence, case)]


def approved_only(evidence: Evidence) -> list[str]:
    approved = {sha for case in evidence.cases.values() for sha in case.approved_sha256}
    return [
        f"{key}: {number_of(effect)} was approved by nobody"
        for key, effects in evidence.effects.items()
        for effect in effects
        if effect["sha256"] not in approved
    ]


def intent_first(evidence: Evidence) -> list[str]:
    intents: dict[str, int] = {}
    for delivery in evidence.deliveries:
        sends = sum(attempt.phase == "send" for attempt in evidence.attempts.get(delivery.id, ()))
        intents[delivery.content_sha256] = intents.get(delivery.content_sha256, 0) + sends
    return [
        f"{sha[:12]}: {len(requests)} requests reached the target, {intents.get(sha, 0)} were written down before"
        for sha, requests in evidence.requests.items()
        if len(requests) > intents.get(sha, 0)
    ]


def asked_first(evidence: Evidence) -> list[str]:
    return [
        f"delivery {delivery.id}: sent again by attempt {second.id} without a question after attempt {first.id}"
        for delivery, first, second, between in _resends(evidence)
        if not any(attempt.phase in _PHASES_THAT_ASK for attempt in between)
    ]


def settled_first(evidence: Evidence) -> list[str]:
    """A resend, or the word to a person that it is not there, comes after the settle time; and then it is not there."""
    settle = timedelta(seconds=evidence.settle_seconds)
    found = [
        f"delivery {delivery.id}: sent again {(second.started_at - first.started_at).total_seconds():.1f} s after"
        for delivery, first, second, _ in _resends(evidence)
        if second.started_at - first.started_at < settle
    ]
    return found + [
        f"delivery {delivery.id}: a person was told that it is not there, and it is. {_history(evidence, delivery)}"
        for delivery in _told_absent_and_there(evidence)
        if not _broke_its_promise(evidence, delivery)
    ]


def later_than_promised(evidence: Evidence) -> list[str]:
    """No fault of the workbench: the target took longer than its settle time, and answered truly when it was asked.

    A simulated target promises as much as a thread can that has no processor of its own.
    """
    return [
        f"delivery {delivery.id}: {_history(evidence, delivery)}"
        for delivery in _told_absent_and_there(evidence)
        if _broke_its_promise(evidence, delivery)
    ]


def _told_absent_and_there(evidence: Evidence) -> list[Sent]:
    return [
        delivery
        for delivery in evidence.deliveries
        if delivery.state == "cancelled"
        and any(attempt.phase == "send" for attempt in evidence.attempts.get(delivery.id, ()))
        and evidence.effects.get(delivery.business_key)
    ]


def _broke_its_promise(evidence: Evidence, delivery: Sent) -> bool:
    """Whether it was asked after the settle time, and booked all that it has only after it was asked.

    A send without an end may have left as late as its lease was over.
    """
    attempts = evidence.attempts[delivery.id]
    last = next(attempt for attempt in reversed(attempts) if attempt.phase == "send")
    left_by = last.finished_at or last.started_at + timedelta(seconds=evidence.lease_seconds)
    promised = left_by + timedelta(seconds=evidence.settle_seconds)
    answered = [attempt.finished_at for attempt in attempts if attempt.phase in _PHASES_THAT_ASK]
    asked_after = [at for at in answered if at is not None and at >= promised]
    booked = [effect.get("at") for effect in evidence.effects[delivery.business_key]]
    return bool(asked_after) and all(at is not None and datetime.fromisoformat(at) > max(asked_after) for at in booked)


def _history(evidence: Evidence, delivery: Sent) -> str:
    """What was done for it and when, and when the target booked it, for who has to find out why."""
    done = [
        f"{attempt.phase} by claim {attempt.epoch} at {attempt.started_at:%H:%M:%S.%f}, "
        f"{attempt.outcome or 'no end'}{f' at {attempt.finished_at:%H:%M:%S.%f}' if attempt.finished_at else ''}"
        for attempt in evidence.attempts.get(delivery.id, ())
    ]
    booked = [f"booked at {effect.get('at', 'a time not kept')}" for effect in evidence.effects[delivery.business_key]]
    return "; ".join([*done, *booked])


def one_key(evidence: Evidence) -> list[str]:
    return [
        f"{sha[:12]}: sent under {len({request['key'] for request in requests})} keys"
        for sha, requests in evidence.requests.items()
        if len({request["key"] for request in requests}) > 1
    ]


def epoch_kept(evidence: Evidence) -> list[str]:
    return [
        f"delivery {key}: claim {second.epoch} acted after claim {first.epoch}"
        for key, attempts in evidence.attempts.items()
        for first, second in pairwise(attempts)
        if second.epoch < first.epoch
    ]


def lease_kept(evidence: Evidence) -> list[str]:
    """Within the lease of an attempt that has no end yet, nobody else begins one."""
    lease = timedelta(seconds=evidence.lease_seconds)
    return [
        f"delivery {key}: claim {second.epoch} began while claim {first.epoch} was at work"
        for key, attempts in evidence.attempts.items()
        for first, second in pairwise(attempts)
        if second.epoch != first.epoch
        and second.started_at < first.started_at + lease
        and (first.finished_at is None or second.started_at < first.finished_at)
    ]


def one_live(evidence: Evidence) -> list[str]:
    """While a delivery of a document is under way, nothing is done for another of the same document."""
    by_document: dict[tuple[str, str], list[Sent]] = {}
    for delivery in evidence.deliveries:
        by_document.setdefault((delivery.connection, delivery.business_key), []).append(delivery)
    found = []
    for deliveries in by_document.values():
        for first, second in pairwise(deliveries):
            begun = [attempt.started_at for attempt in evidence.attempts.get(second.id, ())]
            if begun and (first.finished_at is None or min(begun) < first.finished_at):
                found.append(f"deliveries {first.id} and {second.id}: under way at once")
    return found


def ended_in_time(evidence: Evidence) -> list[str]:
    """Live, though the storm is over, and not because it was put before a person."""
    return [
        f"delivery {delivery.id}: still {delivery.state}. {delivery.detail}" for delivery in still_under_way(evidence)
    ]


def still_under_way(evidence: Evidence) -> list[Sent]:
    return [
        delivery
        for delivery in evidence.deliveries
        if delivery.state in LIVE and not delivery.parked and not _is_before_a_person(evidence, delivery)
    ]


def _is_before_a_person(evidence: Evidence, delivery: Sent) -> bool:
    """A target that answers no question is asked for as long as nobody decides."""
    case = evidence.cases.get(delivery.case_id)
    return not evidence.lane.can_be_asked and case is not None and case.state == _OUTCOME_UNKNOWN


def _is_told(evidence: Evidence, case: Case) -> bool:
    """Whether a person knows that it is not over: it is theirs again, or three workers in a row broke off on it."""
    if case.state == _WITH_A_MACHINE:
        return any(delivery.parked and delivery.state in LIVE for delivery in evidence.by_case.get(case.id, ()))
    return case.state != RESOLVED


def _approved(evidence: Evidence) -> list[Case]:
    return [case for case in evidence.cases.values() if case.approved]


def _unknown_approvals(evidence: Evidence) -> list[int]:
    return sorted(key for key in evidence.acknowledged if not evidence.cases[key].approved)


def _resends(evidence: Evidence) -> Iterator[tuple[Sent, Attempt, Attempt, Sequence[Attempt]]]:
    """Each send that follows one which may have arrived, with what was done between the two."""
    for delivery in evidence.deliveries:
        attempts = evidence.attempts.get(delivery.id, ())
        sends = [place for place, attempt in enumerate(attempts) if attempt.phase == "send"]
        for first, second in pairwise(sends):
            if attempts[first].outcome not in _PROVABLY_NOT_SENT:
                yield delivery, attempts[first], attempts[second], attempts[first + 1 : second]


Check = Callable[[Evidence], list[str]]
# In the order in which a report has them. The first three are the figures of the last line.
CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        say("nothing lost"): lost,
        say("one effect"): doubled,
        say("resolved is booked"): false_resolved,
        say("approved only"): approved_only,
        say("intent first"): intent_first,
        say("asked first"): asked_first,
        say("settled first"): settled_first,
        say("one key"): one_key,
        say("epoch kept"): epoch_kept,
        say("lease kept"): lease_kept,
        say("one at a time"): one_live,
        say("ended in time"): ended_in_time,
        say("second found"): second_found,
    }
)
