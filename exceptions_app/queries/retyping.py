"""What of a payee's bank details the open proposal of an exception changes."""

from exceptions_app.models import Proposal
from exceptions_app.payee_details import PayeeDetail, changed_details
from exceptions_app.queries.case_page import CasePage


def retyping_on(page: CasePage) -> tuple[PayeeDetail, ...]:
    """What whoever approves it types again; read from what the page knows already."""
    proposal = page.proposal
    if proposal is None or proposal.state != Proposal.State.OPEN or not proposal.retype_sha256:
        return ()
    return changed_details(page.first_content, page.latest_content)
