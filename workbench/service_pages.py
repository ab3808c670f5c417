"""Service accounts and their tokens, for administrators: listed, made, withdrawn and ended."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import make_aware, now
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from exceptions_app.actions.mover import Invalid
from exceptions_app.api.scopes import SCOPES
from exceptions_app.machines import PREFIX, SERVICE_PREFIX
from exceptions_app.policies import NotPermitted
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import begin_again, forget, signed_in
from exceptions_app.views.scope import person
from exceptions_app.wording import offered, say, shown, shown_later
from workbench import services
from workbench.models import ApiToken, ServiceAccount, User
from workbench.tokens import DEFAULT_DAYS, MOST_DAYS

MISSING = say("You may not see service accounts. Administrators make them.")


class AccountForm(forms.Form):
    """One query for the people."""

    use_required_attribute = False
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=40, help_text=gettext_lazy("Such as erp-intake. It is given once.")
    )
    purpose = forms.CharField(label=gettext_lazy("What it is for"), max_length=150)
    owner = forms.ModelChoiceField(
        User.objects.none(), label=gettext_lazy("Who answers for it"), to_field_name="username",
        empty_label=gettext_lazy("Choose a person"),
        error_messages={"required": gettext_lazy("Choose who answers for it.")},
        help_text=gettext_lazy("When they leave, its tokens stop."),
    )  # fmt: skip
    until = forms.DateField(
        label=gettext_lazy("Until, that day included"), widget=forms.DateInput(attrs={"type": "date"}),
        help_text=shown_later(say("At most {days} days from now.", days=MOST_DAYS)),
    )  # fmt: skip
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="account-%s")
        people = User.objects.filter(is_active=True).exclude(username__startswith=PREFIX)
        field = self.fields["owner"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = people.exclude(username__startswith=SERVICE_PREFIX).order_by("first_name", "username")

    def ends_at(self) -> datetime:
        return make_aware(datetime.combine(self.cleaned_data["until"] + timedelta(days=1), time.min))

    def clean_until(self) -> Any:
        day = self.cleaned_data["until"]
        if day.year > now().year + 2:
            raise forms.ValidationError(shown(say("Choose a day within the next {days} days.", days=MOST_DAYS)))
        return day


def scopes_offered() -> list[tuple[str, str]]:
    return [(scope, f"{scope}: {shown(words)}") for scope, words in SCOPES.items()]


class TokenForm(forms.Form):
    use_required_attribute = False
    name = forms.CharField(label=gettext_lazy("What uses it"), max_length=100)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=offered(ApiToken.Kind.choices))
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"), choices=scopes_offered,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick what it may be used for.")},
        help_text=gettext_lazy("Beside what is granted to the account: both are needed."),
    )  # fmt: skip
    days = forms.IntegerField(
        label=gettext_lazy("For how many days"), min_value=1, max_value=MOST_DAYS, initial=DEFAULT_DAYS
    )

    def __init__(self, number: int, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=f"token-{number}-%s")


def _administers(request: HttpRequest) -> bool:
    return person(request).is_active and person(request).is_staff


@require_safe
@never_cache
@signed_in
def service_accounts(request: HttpRequest) -> HttpResponse:
    return _page(request) if _administers(request) else not_permitted(request, MISSING, permission=say("staff status"))


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    """`more` are a form that was refused, or the text of a token that was just made."""
    at, page = now(), reverse("services")
    refused: TokenForm | None = more.get("token_form")
    form = more.get("form") or AccountForm()
    begin_again(request, form, page, sent_to="make")

    def token_form(account: ServiceAccount) -> TokenForm:
        form = refused if more.get("number") == account.pk and refused else TokenForm(account.pk)
        begin_again(request, form, page, sent_to=f"{account.pk}/tokens")
        return form

    context = {
        "services": [(one, one.counts(at=at), token_form(one)) for one in services.service_accounts()],
        "form": form,
        "refused": more.get("form") or refused,
        "made": more.get("made"),
        "now": at,
    }
    return render(request, "registration/services.html", context, status=status)


def _service(request: HttpRequest, number: int) -> ServiceAccount:
    if not _administers(request):
        raise NotPermitted(MISSING)
    found = services.service_accounts().filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def _done(request: HttpRequest, words: str) -> HttpResponse:
    messages.success(request, shown(words))
    return HttpResponseRedirect(reverse("services"))


@require_POST
@never_cache
@signed_in
def make(request: HttpRequest, ref: str) -> HttpResponse:  # noqa: ARG001 - the last part of the page's address
    if not _administers(request):
        raise NotPermitted(MISSING)
    form = AccountForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        given = {name: typed[name] for name in ("name", "purpose", "owner", "because")}
        try:
            made = services.make_service_account(**given, ends_at=form.ends_at(), by=person(request), at=now())
        except Invalid as error:
            form.add_error({"ends_at": "until"}.get(error.field, error.field), shown(error.problem))
        else:
            forget(request, reverse("services"))
            return _done(
                request, say("{account} is made. Grant it what it needs, and make a token for it.", account=made)
            )
    return _page(request, form=form, status=422)


@require_POST
@never_cache
@signed_in
def make_token(request: HttpRequest, number: int, ref: str) -> HttpResponse:  # noqa: ARG001 - as of `make`
    """The text is in this answer and nowhere else."""
    account, form = _service(request, number), TokenForm(number, request.POST)
    if form.is_valid():
        try:
            text = services.make_service_token(account, **form.cleaned_data, by=person(request), at=now())
        except Invalid as error:
            form.add_error(error.field, shown(error.problem))
        else:
            forget(request, reverse("services"))
            made = {"account": account, "name": form.cleaned_data["name"], "text": text}
            return _page(request, made=made)
    return _page(request, token_form=form, number=number, status=422)


@require_POST
@never_cache
@login_required
def withdraw_token(request: HttpRequest, number: int) -> HttpResponse:
    account, name = _service(request, number), request.POST.get("name", "")[:100].replace("\x00", "")
    if services.withdraw_service_token(account, name=name, by=person(request), at=now()):
        return _done(request, say("The token {name} of {account} is withdrawn.", name=name, account=account))
    return _done(request, say("It was withdrawn already."))


@require_POST
@never_cache
@login_required
def end(request: HttpRequest, number: int) -> HttpResponse:
    account = _service(request, number)
    services.end_service_account(account, by=person(request), at=now())
    return _done(request, say("{account} is over, and so are its tokens.", account=account))
