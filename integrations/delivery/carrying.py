"""One claim from its first question to its end."""

from integrations.delivery.asking import after_asking, ask, must_ask_first
from integrations.delivery.attempts import client_of
from integrations.delivery.claims import Claim, Fenced, database_now
from integrations.delivery.in_hand import has_ended
from integrations.delivery.sending import send
from integrations.delivery.settling import (
    Settlement,
    State,
    cannot_be_asked,
    left_to_a_person,
    not_to_be_asked_yet,
    still_in_hand,
)
from integrations.delivery.together import needs_a_new_name, send_together
from integrations.restorations import still_to_show


def carry_out(claim: Claim) -> Settlement:
    """Ask and send as needed. Raises Fenced; never raises for what the network or the target does."""
    found_out = find_out(claim)
    if found_out is not None:
        return found_out
    if needs_a_new_name(claim):
        settlement = next(send_together([claim]), None)
        if settlement is None:
            raise Fenced
        return settlement
    client, _ = client_of(claim.delivery)
    return send(claim, client)


def find_out(claim: Claim) -> Settlement | None:
    """Ask the target where there is a doubt; None when the document may be sent now. Raises Fenced."""
    if not must_ask_first(claim):
        return None
    if not has_ended(claim):
        return still_in_hand(claim)
    client, capabilities = client_of(claim.delivery)
    if not capabilities.can_be_asked:
        return cannot_be_asked(claim)  # whoever sent it before, we or its source: nobody but a person finds out
    asked_at = database_now()  # a worker may be frozen over the answer: that it is not there is no newer for that
    if claim.delivery.sends == 0 and (wait := still_to_show(capabilities.settle_time, now=asked_at)):
        return not_to_be_asked_yet(claim, wait)
    return after_asking(claim, ask(claim, client), capabilities, now=asked_at)


def hold_back(claim: Claim, *, because: str) -> Settlement:
    """What may not be sent is cancelled; what was sent before, only once the target was asked and does not have it."""
    delivery = claim.delivery
    if delivery.sends == 0:
        return Settlement(delivery, claim.epoch, State.CANCELLED, detail=because)
    if not has_ended(claim):
        return still_in_hand(claim)
    client, capabilities = client_of(delivery)
    if not capabilities.can_be_asked:
        return cannot_be_asked(claim)
    asked_at = database_now()
    settlement = after_asking(claim, ask(claim, client), capabilities, now=asked_at)
    return settlement or left_to_a_person(claim, because)
