"""Pages about one's own second factor. What opens an account is shown once and kept by no cache."""

import qrcode
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exceptions_app.actions.mover import Invalid
from exceptions_app.policies import NotPermitted
from exceptions_app.views import errors
from exceptions_app.views.scope import person
from workbench import passkeys, proofs, second_factor


class SetUpForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        help_text=gettext_lazy("The six digits that the app shows once it has scanned the picture."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


class PasskeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=passkeys.LONGEST_NAME,
        help_text=gettext_lazy("How you will know it among others: this laptop, the key on my ring."),
    )


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    me = person(request)
    context = {
        "has_second_factor": second_factor.has_second_factor(me),
        "has_app": second_factor.has_app(me),
        "passkeys": [(one.pk, one.wrap().name, one.created_at, one.last_used_at) for one in passkeys.passkeys_of(me)],
        "codes_left": second_factor.recovery_codes_left(me),
        "demanded": second_factor.is_demanded_of(me),
    }
    return render(request, "registration/second_factor.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@proofs.proved_lately(back_to="second_factor_set_up")
@never_cache
def set_up(request: HttpRequest) -> HttpResponse:
    """The new secret travels in the form, sealed, until a code proves that the app has it."""
    me = person(request)
    if second_factor.has_app(me):
        return HttpResponseRedirect(reverse("second_factor"))
    form = SetUpForm(request.POST or None)
    setup = request.POST.get("setup", "")
    if form.is_valid():
        try:
            codes = second_factor.add(me, setup=setup, code=form.cleaned_data["code"], at=now())
        except Invalid as refused:
            form.add_error("code", refused.problem)
        else:
            return _added(request, codes)
    return _show_secret(request, form, setup)


@require_http_methods(["GET", "HEAD", "POST"])
@proofs.proved_lately(back_to="passkey_add")
@never_cache
def add_passkey(request: HttpRequest) -> HttpResponse:
    me = person(request)
    form = PasskeyForm(request.POST or None)
    if form.is_valid():
        answered, state = request.POST.get("passkey", ""), request.POST.get("passkey_state", "")
        try:
            codes = passkeys.add(me, name=form.cleaned_data["name"], answered=answered, state=state, at=now())
        except Invalid as refused:
            form.add_error("name", refused.problem)
        else:
            return _added(request, codes)
    return render(request, "registration/passkey_add.html", {"form": form, "passkey": passkeys.offer_to_add(me)})


@require_POST
@proofs.proved_lately(back_to="second_factor")
def remove_passkey(request: HttpRequest) -> HttpResponse:
    number = request.POST.get("number", "")
    try:
        removed = number.isdecimal() and passkeys.remove(person(request), number=int(number), at=now())
    except NotPermitted as refused:
        return errors.not_permitted(request, refused.reason)
    if removed:
        messages.success(request, gettext("The passkey was removed."))
    return HttpResponseRedirect(reverse("second_factor"))


def _added(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """What was owed is there now; recovery codes are shown when these are the first."""
    request.session.pop(proofs.OWED, None)
    if codes:
        return _show_codes(request, codes, is_first=True)
    messages.success(request, gettext("It is added to your second factors."))
    return HttpResponseRedirect(reverse("second_factor"))


@require_POST
@proofs.proved_lately(back_to="second_factor")
@never_cache
def renew_codes(request: HttpRequest) -> HttpResponse:
    try:
        codes = second_factor.renew_recovery_codes(person(request), at=now())
    except Invalid as refused:
        messages.error(request, refused.problem)
        return HttpResponseRedirect(reverse("second_factor"))
    return _show_codes(request, codes, is_first=False)


@require_POST
@proofs.proved_lately(back_to="second_factor")
def remove(request: HttpRequest) -> HttpResponse:
    try:
        removed = second_factor.remove_own(person(request), at=now())
    except NotPermitted as refused:
        return errors.not_permitted(request, refused.reason)
    if removed:
        messages.success(request, gettext("Your second factor was removed. Your password alone signs you in now."))
    return HttpResponseRedirect(reverse("second_factor"))


def _show_secret(request: HttpRequest, form: SetUpForm, setup: str) -> HttpResponse:
    me = person(request)
    try:
        secret = second_factor.secret_in(setup, me)
    except Invalid:
        setup = second_factor.begin_setup(me)
        secret = second_factor.secret_in(setup, me)
    size, path = _picture(second_factor.address_for_app(me, secret))
    in_fours = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {
        "form": form, "setup": setup, "secret": in_fours, "size": size, "path": path,
        "owed": request.session.get(proofs.OWED, False),
    }  # fmt: skip
    return render(request, "registration/second_factor_set_up.html", context)


def _show_codes(request: HttpRequest, codes: list[str], *, is_first: bool) -> HttpResponse:
    in_fours = [f"{code[:4]} {code[4:]}" for code in codes]
    return render(request, "registration/recovery_codes.html", {"codes": in_fours, "is_first": is_first})


def _picture(text: str) -> tuple[int, str]:
    """The QR code of a text: how many modules it is wide, and the path of an SVG that draws the dark ones.

    Drawn here, since what libraries write has a declaration and styles that have no place inside of a page.
    """
    code = qrcode.QRCode(border=4)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    dark = ((x, y) for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return len(rows), "".join(f"M{x} {y}h1v1h-1z" for x, y in dark)
