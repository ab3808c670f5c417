"""What a page says of moves beside their names: the offer to undo one, and what a snoozed exception waits for."""

from django import template

from exceptions_app.states import WAKES_ON_WORDS, WakesOn
from exceptions_app.views.undo_offer import Undo

register = template.Library()


@register.filter
def undo_of_tag(tag: str | None) -> Undo | None:
    """The offer that a message carries; None for most."""
    return Undo.of_tag(tag or "")


@register.filter
def wakes_on_words(event: str) -> str:
    return WAKES_ON_WORDS[WakesOn(event)]
