"""How money, times, states and people look on a page.

Nothing here decides anything: the functions turn values into words and markup in the reader's language and time zone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, list_currencies
from babel.units import format_unit
from django import template
from django.conf import settings
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

from exceptions_app.batch_states import ITEM_WORDS, ItemState
from exceptions_app.models import BatchProgress
from exceptions_app.wording import shown
from integrations.connectors.registry import title_of

register = template.Library()

# ISO 4217 list one: currencies whose minor unit is not two digits. CLDR rounds some others (RSD, IQD, ALL)
# for everyday display, which would hide digits that an invoice really has.
MINOR_UNITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0)
    | dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)
USUAL_MINOR_UNITS = 2
DUE_SOON = timedelta(hours=24)
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")
# An amount in a sentence: two decimals, or a number before a currency; no part of a version, date, path, rate or score.
_DIGITS = "(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})"  # grouped as sentences of the house have them, or not at all
_AMOUNT = rf"-?{_DIGITS}(?:\.[0-9]{{2}}|(?= (?:{'|'.join(sorted(list_currencies()))})\b))"
_CURRENCY = rf"(?P<code> (?:{'|'.join(sorted(list_currencies()))})\b)?"
_IN_A_SENTENCE = re.compile(rf"(?<![\w.,:/-])(?<!score )(?P<number>{_AMOUNT}){_CURRENCY}(?![\w/]|[.,:][0-9]| ?%)")


@dataclass(frozen=True, slots=True)
class Look:
    """Tone (a CSS modifier), icon (a symbol of the sprite) and words of one state."""

    tone: str
    icon: str
    label: str


_STATE_LOOKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "new": ("info", "new"),
        "in_progress": ("neutral", "in-progress"),
        "waiting": ("neutral", "waiting"),
        "awaiting_approval": ("review", "awaiting-approval"),
        "replaying": ("transit", "replaying"),
        "outcome_unknown": ("warning", "outcome-unknown"),
        "resolved": ("success", "resolved"),
        "dismissed": ("neutral", "dismissed"),
        # transactions handed over, deliveries and proposals share the badge
        "checking": ("neutral", "clock"),
        "delivering": ("transit", "replaying"),
        "held": ("warning", "hold"),
        "delivered": ("success", "resolved"),
        "duplicate": ("neutral", "history"),
        "closed": ("neutral", "dismissed"),
        "queued": ("neutral", "clock"),
        "probing": ("transit", "search"),
        "sending": ("transit", "replaying"),
        "confirmed": ("success", "resolved"),
        "already_there": ("success", "resolved"),
        "refused": ("danger", "danger"),
        "conflict": ("danger", "danger"),
        "unknown": ("warning", "outcome-unknown"),
        "cancelled": ("neutral", "dismissed"),
        # effects at the target
        "proven": ("success", "resolved"),
        "second_effect": ("danger", "danger"),
        "unproven": ("warning", "outcome-unknown"),
        "not_sent": ("neutral", "clock"),
        "not_booked": ("neutral", "dismissed"),
        "open": ("review", "awaiting-approval"),
        "approved": ("success", "resolved"),
        "rejected": ("danger", "danger"),
        "withdrawn": ("neutral", "withdraw"),
        "superseded": ("neutral", "history"),
        # causes
        "ongoing": ("neutral", "in-progress"),
        "escalating": ("danger", "arrow-up"),
        "regressed": ("warning", "reopen"),
        # batches and their items
        "running": ("transit", "replaying"),
        "stopped": ("danger", "danger"),
        "suspended": ("warning", "hold"),
        "complete": ("success", "resolved"),
        "ended": ("warning", "warning"),
        "under_way": ("transit", "replaying"),
        "failed": ("danger", "danger"),
        "skipped": ("neutral", "history"),
        "given_back": ("neutral", "withdraw"),
        # bulk runs and their items
        "paused": ("warning", "hold"),
        "finished": ("success", "resolved"),
        "done": ("success", "resolved"),
        "left": ("neutral", "clock"),
        # exports of the audit trail
        "gone": ("neutral", "history"),
        # proposed mappings whose exceptions are prepared
        "preparing": ("transit", "clock"),
    }
)
# Where the word of the button is better known than the name of the state.
_STATE_WORDS: Mapping[str, str] = MappingProxyType({"waiting": "On hold", "replaying": "Being replayed"})
_PREFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "theme": ("system", "light", "dark"),
        "density": ("comfortable", "compact"),
        "shortcuts": ("on", "off"),
    }
)


def _locale() -> Locale:
    try:
        return Locale.parse(to_locale(get_language() or "en"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def minor_units(*, currency: str) -> int:
    """Digits after the decimal separator of a currency, by ISO 4217."""
    return MINOR_UNITS.get(currency.upper(), USUAL_MINOR_UNITS)


def format_amount(amount: Decimal | int | str, *, currency: str) -> str:
    """The amount in the reader's notation, with every digit it has: a wrong amount is never rounded out of sight.

    Raises decimal.InvalidOperation when the text is no number.
    """
    value = Decimal(amount)
    if not value.is_finite():
        return str(value)
    exponent = value.normalize().as_tuple().exponent
    digits = max(minor_units(currency=currency), -exponent if isinstance(exponent, int) else 0)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return format_decimal(value, format=pattern, locale=_locale(), decimal_quantization=False)


@register.simple_tag
def money(amount: Decimal | int | str | None, currency: str | None, size: str = "") -> SafeString:
    """`1,234.50 EUR` with the code marked up, so that amounts align in a column; size "large" for a headline."""
    if amount is None or amount == "":
        return format_html('<span class="muted">{}</span>', _("no amount"))
    code = currency or ""
    try:
        shown = format_amount(amount, currency=code)
    except InvalidOperation:
        shown = str(amount)
    modifier = " money--large" if size == "large" else ""
    return format_html(
        '<span class="money{}">{} <span class="money__currency">{}</span></span>',
        modifier,
        shown,
        code or _("no currency"),
    )


@register.simple_tag
def money_text(amount: Decimal | int | str | None, currency: str | None) -> str:
    """The same without markup, for titles and questions."""
    if amount is None or amount == "":
        return _("no amount")
    try:
        return f"{format_amount(amount, currency=currency or '')} {currency or _('no currency')}"
    except InvalidOperation:
        return f"{amount} {currency or _('no currency')}"


@register.simple_tag
def field_text(value: str | None, currency: str | None) -> str:
    """The value of a field for reading: an amount as `1,234.50 EUR`; what is no well-formed amount as it stands."""
    if value is None or not currency or not _PLAIN_NUMBER.fullmatch(value):
        return value or ""
    return f"{format_amount(value, currency=currency)} {currency}"


@register.filter
def with_amounts(text: object, currency: str = "") -> str:
    """A sentence with its amounts in the reader's notation; `currency` is that of amounts which name none."""

    def shown(found: re.Match[str]) -> str:
        code = (found["code"] or currency).strip()
        return f"{format_amount(found['number'].replace(',', ''), currency=code)} {code}".rstrip()

    return _IN_A_SENTENCE.sub(shown, str(text))


@register.simple_tag
def time_zone_note() -> str:
    """In which zone the times of a page are, once for all of them: `Europe/Amsterdam (CET)`, or `UTC`."""
    zone, short = timezone.get_current_timezone_name(), timezone.localtime().strftime("%Z")
    return zone if short == zone else f"{zone} ({short})"


def _exact(moment: datetime) -> str:
    local = timezone.localtime(moment)
    offset = local.strftime("%z")
    shown = format_datetime(local.replace(tzinfo=None), "d MMM y, HH:mm:ss", locale=_locale())
    return f"{shown} UTC{offset[:3]}:{offset[3:5]}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _span(delta: timedelta) -> str:
    """The two largest units of a duration, as `3d 4h`, `2h 5m` or `12 min`."""
    minutes = max(0, int(delta.total_seconds() // 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    locale = _locale()
    if not days and not hours:
        return format_unit(minutes, "duration-minute", "short", locale=locale)
    units = (("duration-day", days), ("duration-hour", hours), ("duration-minute", minutes))
    largest = units[:2] if days else units[1:]
    return " ".join(_narrow(count, unit, locale) for unit, count in largest if count)


def _narrow(count: int, unit: str, locale: Locale) -> str:
    """Of many languages CLDR has a narrow form only where it differs from the short one; Babel has no other then."""
    shown = format_unit(count, unit, "narrow", locale=locale)
    return format_unit(count, unit, "short", locale=locale) if unit in shown else shown


@register.filter
def duration(delta: timedelta) -> str:
    """`3d 4h`."""
    return _span(delta)


@register.simple_tag
def age(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """How long ago, short, for a column; the exact local time with its offset in the title."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', _("none"))
    delta = (now or timezone.now()) - moment
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(moment), _exact(moment), _span(delta))


@register.simple_tag
def since(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """`3 days ago`, kept current by times.js; the exact local time with its offset in the title."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', _("never"))
    words = format_timedelta(moment - (now or timezone.now()), add_direction=True, threshold=1, locale=_locale())
    return format_html('<time datetime="{}" title="{}" data-relative>{}</time>', _iso(moment), _exact(moment), words)


@register.simple_tag
def local_time(moment: datetime | None, precision: str = "minute") -> SafeString:
    """Date and time in the reader's zone; seconds and the offset from UTC are in the title."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', _("none"))
    pattern = "d MMM y, HH:mm:ss" if precision == "second" else "d MMM y, HH:mm"
    shown = format_datetime(timezone.localtime(moment).replace(tzinfo=None), pattern, locale=_locale())
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(moment), _exact(moment), shown)


@register.simple_tag
def business_date(day: date | None) -> SafeString:
    """A date of a document. It has no time zone and is never shifted."""
    if day is None:
        return format_html('<span class="muted">{}</span>', _("no date"))
    shown = format_date(day, "d MMM y", locale=_locale())
    return format_html('<time datetime="{}">{}</time>', day.isoformat(), shown)


@register.simple_tag
def due(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """Time left or time over, as icon and words; the colour only repeats them."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', _("no due time"))
    left = moment - (now or timezone.now())
    if left < timedelta(0):
        modifier, sign, words = " due--overdue", icon("warning"), _("%(span)s over") % {"span": _span(-left)}
    elif left <= DUE_SOON:
        modifier, sign, words = " due--soon", icon("clock"), _("in %(span)s") % {"span": _span(left)}
    else:
        modifier, sign, words = "", SafeString(""), _("in %(span)s") % {"span": _span(left)}
    return format_html(
        '<span class="due{}">{}<time datetime="{}" title="{}">{}</time></span>',
        modifier,
        sign,
        _iso(moment),
        _exact(moment),
        words,
    )


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """One symbol of the sprite. Without a label it is decoration and silent for screen readers."""
    return format_html(
        '<svg class="icon{}" {}><use href="{}#{}"></use></svg>',
        f" icon--{size}" if size in ("lg", "xl") else "",
        format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"'),
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def state_look(state: str, label: str = "") -> Look:
    """Tone, icon and words for a state of a case, a delivery or a proposal; an unknown state stays neutral."""
    tone, name = _STATE_LOOKS.get(str(state), ("neutral", "new"))
    return Look(tone=tone, icon=name, label=shown(label or _words_of(state)))


def _words_of(state: str) -> str:
    return _STATE_WORDS.get(state, str(state).replace("_", " ").capitalize())


def state_labels() -> list[str]:
    """The words of all badges, in English."""
    return [_words_of(state) for state in _STATE_LOOKS]


@register.filter
def batch_item_words(progress: BatchProgress) -> str:
    """How an item of a batch stands: “Not sent yet”."""
    return capfirst(shown(ITEM_WORDS[ItemState(progress.state)]))


@register.filter
def priority_level(priority: int | str) -> str:
    """`p1` to `p4` from 1, "1", "P1" or "p1"."""
    digit = str(priority).strip().lower().removeprefix("p")
    return f"p{digit}" if digit in ("1", "2", "3", "4") else "p4"


@register.filter
def object_title(object_type: str) -> str:
    """What people call a kind of transaction: “Credit note”."""
    return shown(title_of(object_type))


@register.filter
def category_title(category: str) -> str:
    """“Policy hold”, as the filter of the lists has it."""
    return shown(str(category).replace("_", " ").capitalize())


@register.filter
def initials(name: object) -> str:
    """At most two letters that stand for a person in a narrow place."""
    words = [word for word in str(name).replace(".", " ").replace("_", " ").split() if word]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@register.filter
def path_breaks(path: object) -> SafeString:
    """A technical path that may break after its slashes, not within a name."""
    return format_html_join(SafeString("/<wbr>"), "{}", ((part,) for part in str(path).split("/")))


@register.simple_tag(takes_context=True)
def preference(context: Context, name: str) -> str:
    """The reader's theme, density or shortcut setting from the cookie; anything unknown is the default.

    A page may be shown in another density than usual, when its address says so: `shown_density` in its context.
    """
    allowed = _PREFERENCES[name]
    if name == "density" and context.get("shown_density") in allowed:
        return str(context["shown_density"])
    request = context.get("request")
    value = request.COOKIES.get(f"{settings.COOKIE_PREFIX}{name}", "") if request is not None else ""
    return value if value in allowed else allowed[0]


@register.simple_tag
def totals(amounts: Mapping[str, Decimal]) -> SafeString:
    """Sums per currency, never added up across currencies."""
    if not amounts:
        return format_html('<span class="muted">{}</span>', _("no amount"))
    rows = ((money(amount, currency),) for currency, amount in sorted(amounts.items()))
    return format_html_join(" · ", "{}", rows)
