"""Delivery: claim, ask, send, and say what came of it. PostgreSQL holds the truth; every step survives a kill.

The protocol of a worker. (1) Claim rows with SKIP LOCKED; each claim raises the row's epoch, the fencing token,
and sets a lease by the database's clock. (2) Commit the intent to ask or to send before the first byte leaves.
(3) No transaction is open while the target is spoken to. (4) Write the end only if the epoch is still ours.
A claim whose lease ran out while sending may have been booked: it is asked about before anything is sent again.
A delivery that breaks its worker off three times in a row is set before a person instead of a fourth.

Whether anything goes to a place at all is asked in one place (`holds`): a stop of all sending, a pause, a maintenance
window, a target that does not work, that asked to wait, or that takes so many a minute (`gates`).

Several deliveries may travel in one file (`together`). The file is stored with the intents of all that are in it; each
keeps its own key, approval, attempts and end, and after a lost answer each is asked about by itself.
"""

from integrations.delivery.asking import after_asking, must_ask_first
from integrations.delivery.attempts import begin, lease_of
from integrations.delivery.carrying import carry_out, find_out, hold_back
from integrations.delivery.claims import MAX_CLAIMS, Claim, Fenced, claim, refuse_overtaken, uncount
from integrations.delivery.holds import HeldBy, Hold, hold_on, holds_on, stop_in_force
from integrations.delivery.restoring import AtWork, Doubted, at_work, doubt, lock_all_under_way
from integrations.delivery.sending import after_sending, compared
from integrations.delivery.settling import Settlement, park, settle
from integrations.delivery.stating import NotUnknown, Statement, ask_now, end_by, unknown_of
from integrations.delivery.together import keep, send_together, travelling_together
from integrations.delivery.waiting import give_back, let_go, note_wait

__all__ = [
    "MAX_CLAIMS",
    "AtWork",
    "Claim",
    "Doubted",
    "Fenced",
    "HeldBy",
    "Hold",
    "NotUnknown",
    "Settlement",
    "Statement",
    "after_asking",
    "after_sending",
    "ask_now",
    "at_work",
    "begin",
    "carry_out",
    "claim",
    "compared",
    "doubt",
    "end_by",
    "find_out",
    "give_back",
    "hold_back",
    "hold_on",
    "holds_on",
    "keep",
    "lease_of",
    "let_go",
    "lock_all_under_way",
    "must_ask_first",
    "note_wait",
    "park",
    "refuse_overtaken",
    "send_together",
    "settle",
    "stop_in_force",
    "travelling_together",
    "uncount",
    "unknown_of",
]
