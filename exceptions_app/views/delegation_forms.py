"""What a person types to let somebody decide in their place, and what the page of approvals shows of it."""

from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext_lazy

from exceptions_app.form_fields import ActionCheckedField
from exceptions_app.forms import REASON_LENGTH
from exceptions_app.queries.delegations import offered_to, standing_delegations_of
from exceptions_app.queries.reach import Reach
from exceptions_app.states import Verb
from exceptions_app.views.interrupted import begin_again
from exceptions_app.views.scope import person, reach_for


class DelegationForm(forms.Form):
    """Who, from which day to which, and why. One query for the people."""

    use_required_attribute = False
    taker = forms.ChoiceField(
        label=gettext_lazy("Who decides in your place"),
        choices=(),
        help_text=gettext_lazy(
            "Whoever sees what you decide on and could be given the right to. "
            "Where they had a hand in it, or you had, neither of you decides."
        ),
    )
    first_day = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(label=gettext_lazy("To, included"), widget=forms.DateInput(attrs={"type": "date"}))
    because = ActionCheckedField(
        label=gettext_lazy("Reason"), max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: QueryDict | None, *, people: list[tuple[str, str]]) -> None:
        super().__init__(data, auto_id="delegation-%s")
        field = self.fields["taker"]
        if isinstance(field, forms.ChoiceField):
            field.choices = people


def delegations_context(request: HttpRequest, form: DelegationForm | None = None) -> dict[str, Any]:
    """What stands, and the form for whoever has something to give. Two queries."""
    user = person(request)
    if form is None and _decides_by_themselves(reach_for(request)):
        form = form_of(request)
        begin_again(request, form, reverse("exceptions:delegation_give"), sent_to="")
    return {"delegations": standing_delegations_of(user), "delegation_form": form}


def _decides_by_themselves(reach: Reach) -> bool:
    return bool(reach.queues(Verb.APPROVE) and reach.entities(Verb.APPROVE))


def form_of(request: HttpRequest) -> DelegationForm:
    people = [(one.get_username(), str(one)) for one in offered_to(person(request), reach_for(request))]
    return DelegationForm(request.POST if request.method == "POST" else None, people=people)
