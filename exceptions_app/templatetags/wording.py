"""Words of tables and of actions in the reader's language. Every template has it, without loading it."""

from django import template

from exceptions_app import wording
from exceptions_app.queries.pull_sources import numbers_of
from integrations.delivery import Hold
from integrations.models import SequenceGap

register = template.Library()


@register.filter
def shown(text: object) -> str:
    """`{{ button.label|shown }}`: a word that is English where it is kept. Of names and data it is not asked."""
    return wording.shown(text)


@register.filter
def held_because(hold: Hold) -> str:
    """Why nothing goes there now; what a person gave as the reason stays as it is."""
    return wording.shown(hold.reason).format(told=hold.told) if hold.reason else hold.told


@register.filter
def gap_numbers(gap: SequenceGap) -> str:
    """`17 to 19`."""
    return wording.shown(numbers_of(gap))
