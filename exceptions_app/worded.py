"""Every English word that tables of Python hold and pages show, so that a catalogue can name all of them.

The tables stay plain data, which the API, the documentation and the actions read as they are. A page shows a word of
theirs by `wording.shown`. What is written into code as a label is marked there, by gettext_lazy or by `say`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps

from audit.evidence import NOTHING_SEALED
from audit.formats import FORMATS
from audit.formats.xlsx import TOO_LARGE
from exceptions_app import (
    answer_words,
    archive_states,
    batch_states,
    bulk_states,
    cause_states,
    export_states,
    field_classes,
    filters,
    forms,
    found_by,
    handover_states,
    list_layout,
    mapping_states,
    navigation,
    playbook_steps,
    policies,
    search_text,
    shortcuts,
    states,
)
from exceptions_app.api.scopes import SCOPES
from exceptions_app.models import AccessReview, Emergency, FieldRule
from exceptions_app.models.retention import RecordClass
from exceptions_app.queries import access as access_rows
from exceptions_app.queries import access_conflicts, effects, playbooks
from exceptions_app.templatetags import presentation
from exceptions_app.views import access, access_reviews, audit_words, case_history
from integrations import value_kinds
from integrations.connectors.registry import CONNECTORS, sentences_of_codes, title_of
from integrations.delivery import holds, safeguards
from integrations.fieldmaps.trail import Stage
from integrations.left_lying import WaitsFor
from integrations.records.schemas import DESCRIPTIONS

_ROOMS = ("audit", "exceptions_app", "integrations", "workbench")
_TABLES: tuple[Mapping[Any, str], ...] = (
    states.CLOCK_RULES, states.PROPOSAL_WORDS, states.STATE_WORDS, states.WAKES_ON_WORDS, batch_states.STATE_WORDS,
    batch_states.ITEM_WORDS, bulk_states.KIND_WORDS, bulk_states.RUN_WORDS, bulk_states.OUTCOME_WORDS,
    cause_states.RULES, export_states.EXPORT_WORDS, field_classes.CLASS_WORDS, handover_states.STATE_WORDS,
    mapping_states.MAPPING_STATE_WORDS, playbook_steps.STEP_WORDS, policies.VERB_WORDS, forms.OUTCOME_WORDS,
    effects.WORDS, effects.MEANING, playbooks.STATE_WORDS, holds.TITLES, holds.REASONS, safeguards.WORDS, access.WORDS,
    access_rows.KINDS, access_reviews.SHOWN, case_history.LABELS, archive_states.ARCHIVE_WORDS, FORMATS,
    found_by.WORDS, answer_words.TOLD,
)  # fmt: skip
_MOVES: tuple[Mapping[Any, Any], ...] = (
    states.TRANSITIONS, batch_states.BATCH_MOVES, bulk_states.RUN_MOVES, export_states.EXPORT_MOVES,
    mapping_states.MAPPING_MOVES,
)  # fmt: skip
_CHOICES: tuple[Iterable[tuple[str, str]], ...] = (
    filters.STATE_CHOICES, filters.KIND_CHOICES, filters.OBJECT_TYPE_CHOICES, filters.CATEGORY_CHOICES,
    filters.SNOOZED_CHOICES, filters.DUE_CHOICES,
)  # fmt: skip


def words_of_tables() -> list[str]:
    """Each of them once, in an order that does not change."""
    return sorted({words for words in _words() if words.strip()})


def _words() -> Iterator[str]:
    for table in _TABLES:
        yield from table.values()
    for moves in _MOVES:
        yield from (move.label for move in moves.values())
    for choices in _CHOICES:
        yield from (label for _, label in choices)
    for group, actions in audit_words.ACTIONS.items():
        yield from (group, *actions.values())
    yield from navigation.GROUPS
    yield from (entry.label for entry in navigation.ENTRIES)
    yield from (column.label for column in list_layout.COLUMNS)
    yield from presentation.state_labels()
    yield from (word for one in access_conflicts.WITH_APPROVE for word in (one.words, one.why))
    yield from (name.replace("_", " ") for name, _ in (*filters.OBJECT_TYPE_CHOICES, *filters.CATEGORY_CHOICES))
    yield from (words for _, words in (*case_history.ANSWERS.values(), case_history.NO_ANSWER))
    for kind, words in value_kinds.KIND_WORDS.items():
        yield from (words.noun, words.title, words.target, value_kinds.kind_not_mapped(kind))
    for connector in CONNECTORS.values():
        promised = connector.capabilities
        yield from (connector.title, promised.looked_up_by, promised.correction_envelope)
        yield from map(title_of, connector.object_types)
        says = connector.words
        yield from (says.target, says.code, says.own_code, says.said, says.own_said, says.said_of_a_hold)
        yield says.reference.lower()  # in the middle of a sentence
    yield from sentences_of_codes()
    yield from (token.means for token in search_text.TOKENS.values())
    yield from (holds.NO_REASON, *WaitsFor, *Stage)
    yield from (part.label for part in DESCRIPTIONS.values())
    yield from (outcome.label for outcome in AccessReview.Kept)
    yield from (str(one.label).lower() for one in (*RecordClass, *FieldRule.Who, *FieldRule.Values))
    yield from Emergency.Role.values
    yield from SCOPES.values()
    yield from (NOTHING_SEALED, TOO_LARGE)
    yield from _of_keys()
    yield from _of_choices()
    yield from _of_documents()


def _of_keys() -> Iterator[str]:
    for keys in (shortcuts.EVERYWHERE, shortcuts.IN_A_LIST, shortcuts.IN_AN_EXCEPTION):
        yield from (shortcut.does for shortcut in keys)


def _of_documents() -> Iterator[str]:
    """What people call the fields of documents, and the groups in which they stand. A numbered line has no name."""
    for connector in CONNECTORS.values():
        for name in connector.vocabulary:
            yield from (name.label, name.group)


def _of_choices() -> Iterator[str]:
    """What the columns of the database may hold, in words."""
    for model in apps.get_models():
        if model._meta.app_label in _ROOMS and not model.__name__.startswith("Historical"):
            for field in model._meta.get_fields():
                words = [str(label) for _, label in getattr(field, "flatchoices", None) or ()]
                yield from words
                if field.name in ("state", "verdict"):  # which stand in the middle of sentences too
                    yield from (word.lower() for word in words)
