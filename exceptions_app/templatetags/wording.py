"""Words of tables and of actions in the reader's language. Every template has it, without loading it."""

from django import template

from exceptions_app import wording

register = template.Library()


@register.filter
def shown(text: object) -> str:
    """`{{ button.label|shown }}`: a word that is English where it is kept. Of names and data it is not asked."""
    return wording.shown(text)
