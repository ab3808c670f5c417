"""Words of tables and of actions in the reader's language. Every template has it, without loading it."""

import json

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exceptions_app import script_words as words_of_scripts
from exceptions_app import wording
from exceptions_app.queries.pull_sources import numbers_of
from exceptions_app.templatetags.presentation import with_amounts
from exceptions_app.triage.sentences import read_back
from integrations.delivery import Hold
from integrations.models import SequenceGap

register = template.Library()


@register.filter
def shown(text: object) -> str:
    """`{{ button.label|shown }}`: a word that is English where it is kept. Of names and data it is not asked."""
    return wording.shown(text)


@register.filter
def shown_row(group: str) -> str:
    """`{{ group.title|shown_row }}`: a group of fields, which may be one line of several."""
    return wording.shown_row(group)


@register.filter
def held_because(hold: Hold) -> str:
    """Why nothing goes there now; what a person gave as the reason stays as it is."""
    return wording.shown(hold.reason).format(told=hold.told) if hold.reason else hold.told


@register.filter
def gap_numbers(gap: SequenceGap) -> str:
    """`17 to 19`."""
    return wording.shown(numbers_of(gap))


@register.filter
def reason_of_score(text: str) -> str:
    """Why an exception has its points, which is kept with it in English."""
    return with_amounts(wording.shown(read_back(text)))


@register.simple_tag
def script_words() -> SafeString:
    """What the scripts say by themselves, as data for words.js."""
    words = json.dumps(words_of_scripts.in_words(), ensure_ascii=False)
    return format_html('<meta name="script-words" content="{}">', words)
