"""What the page of an exception says of its masked values: that there are some, and how they are shown."""

from typing import Any

from django.forms import Form
from django.urls import reverse

from exceptions_app.forms import RevealForm
from exceptions_app.policies import may_reveal
from exceptions_app.queries.case_page import CasePage
from exceptions_app.queries.sensitive import shown_until, values_of_version
from exceptions_app.source_text import masked_text
from exceptions_app.views.raw_text import NotText, as_text


def masked_values(page: CasePage, form: Form | None) -> dict[str, Any]:
    """The context of `exceptions/_case_masked.html`; `form` is the one that was refused."""
    first, latest = values_of_version(page.first), values_of_version(page.latest)
    ruling = may_reveal(page.case, page.standing.verbs)
    return {
        "holds_masked": first is None or latest is None or bool(first or latest),
        "shown_until": shown_until(page.case, page.standing.verbs),
        "reveal_form": (form or RevealForm(auto_id="reveal-%s")) if ruling.allowed else None,
        "reveal_refused": form is not None,
        "reveal_reason": ruling.reason,
        "reveal_url": reverse("exceptions:reveal", kwargs={"ref": page.case.ref}),
    }


def may_edit_raw(page: CasePage) -> bool:
    """Whether the reader sees the whole document as it is. A masked text would be saved as its masks."""
    values = values_of_version(page.latest)
    return (values is not None and not values) or shown_until(page.case, page.standing.verbs) is not None


def raw_masked(page: CasePage) -> str:
    """The whole document for reading, masked; empty when it cannot be read, and nobody can say what to mask."""
    values = values_of_version(page.latest)
    try:
        return "" if values is None else masked_text(as_text(page.latest_content), whole=page.latest_content)
    except NotText:
        return ""
