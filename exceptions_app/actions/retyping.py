"""What the one who approves types again: a payee's bank details that a correction changed."""

from collections.abc import Sequence

from exceptions_app.actions.mover import Invalid
from exceptions_app.models import PayloadVersion, Proposal
from exceptions_app.payee_details import PayeeDetail, as_compared, changed_details
from exceptions_app.states import ProposalKind
from exceptions_app.wording import say

_BOOKING = (ProposalKind.REPLAY, ProposalKind.RELEASE)
FIELD = "retyped"
LONGEST = 2_048  # characters, as ISO 20022 gives them to the longest name of an account
ALONE = say("It changes bank details of the payee, which whoever approves types again. Propose it by itself.")


class NotTypedAgain(Invalid):
    """One of them is missing, or is not what would be sent: then `is_other`. What it should be is not said."""

    def __init__(self, place: int, problem: str, *, is_other: bool = False) -> None:
        super().__init__(f"{FIELD}_{place}", problem)
        self.is_other = is_other
        self._place = place

    @property
    def steps(self) -> Sequence[object]:
        return (FIELD, self._place)


def to_retype(version: PayloadVersion, kind: str) -> tuple[PayeeDetail, ...]:
    """Of a proposal of this kind to send this version. One query when it is not what came in."""
    if kind not in _BOOKING or version.number == 1:
        return ()
    came_in = PayloadVersion.objects.values_list("content", flat=True).get(case=version.case_id, number=1)
    return changed_details(bytes(came_in), bytes(version.content))


def waiting_to_be_retyped(case_id: int) -> tuple[PayeeDetail, ...]:
    """Of the proposal that waits for a decision; nothing when none does."""
    waiting = Proposal.objects.filter(case=case_id, state=Proposal.State.OPEN).exclude(retype_sha256="")
    proposal = waiting.select_related("version").first()
    return to_retype(proposal.version, proposal.kind) if proposal is not None else ()


def require_retyped(details: Sequence[PayeeDetail], typed: Sequence[str]) -> None:
    """Raises NotTypedAgain for the first that is missing or differs, and Invalid for more than there are."""
    for place, detail in enumerate(details):
        given = as_compared(typed[place]) if place < len(typed) else ""
        if not given:
            raise NotTypedAgain(place, say("{detail}: type it from the payee's own record.", detail=detail.label))
        if given != detail.value:
            raise NotTypedAgain(
                place,
                say(
                    "This is not what would be sent. Look at the payee's own record again; when that says what you "
                    "typed, reject the proposal."
                ),
                is_other=True,
            )
    if len(typed) > len(details):
        raise Invalid(
            FIELD,
            say(
                "{number} values were typed again, and {number_2} are changed.",
                number=len(typed),
                number_2=len(details),
            ),
        )


def told_of(typed: Sequence[PayeeDetail]) -> dict[str, object]:
    """For the event: where they stand and not what they are, which the version that was sent says."""
    return {"typed_again": [detail.place[0] for detail in typed]} if typed else {}
