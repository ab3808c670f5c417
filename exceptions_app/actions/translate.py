"""Translating again: the source's message by the field maps of today, for an exception that a field map held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions.correct import drop_proposal, latest_version, steps_for_the_trail, write_version
from exceptions_app.actions.mover import lock, move
from exceptions_app.actions.scoring import scored
from exceptions_app.facts import facts_of, remember_identifiers
from exceptions_app.hands import value_hands
from exceptions_app.models import ExceptionCase, Occurrence, PayloadVersion, Proposal
from exceptions_app.queries.score_facts import waiting_for
from exceptions_app.states import Action, Kind, State, target_of
from exceptions_app.translation import errors_of, translate_by
from exceptions_app.wording import say
from integrations.connectors.base import Connector
from integrations.connectors.registry import get_connector
from integrations.fieldmaps.active import MapVersion, Translation, Versioned, in_use
from integrations.models import ActiveFieldMap, InboxMessage
from integrations.refusals import MessageNotUnderstood, RefusalError


class TranslationFailed(Exception):
    """The maps that are in use make no new version of it. `errors` are their faults, where they have any."""

    def __init__(self, problem: str, errors: Sequence[RefusalError] = ()) -> None:
        super().__init__(f"{problem} Nothing was saved.")
        self.problem = problem
        self.errors = tuple(errors)


@transaction.atomic
def translate_again(case_id: int, *, by: AbstractUser, at: datetime, revision: int | None = None) -> PayloadVersion:
    """Translate what the source handed over with the maps in use, and keep the result as the next version.

    Nothing is sent: whoever decides on the version is neither the person who had it translated, nor who wrote the maps,
    put them to use or wrote the value mappings. An open proposal dies with the change. What was corrected by hand is
    replaced by what the maps say, and stays in its own version. Raises TranslationFailed where they do not translate it
    either, make another document of it or what is there already; mover.ChangedMeanwhile, policies.NotPermitted,
    states.TransitionNotAllowed.
    """
    case = lock(case_id, revision=revision)
    policies.require(Action.TRANSLATE, case, by)
    target_of(Action.TRANSLATE, state=State(case.state), kind=Kind(case.kind))
    message = message_of(case)
    connector = get_connector(case.connection.connector)
    rows = in_use(message.connection)
    translation = _translate(rows, message, case, connector)
    latest = latest_version(case)
    if translation.payload == bytes(latest.content):
        raise TranslationFailed(say("The maps make of it what version {number} says already.", number=latest.number))
    steps = connector.operations_between(bytes(latest.content), translation.payload)
    version = write_version(
        case, latest, connector, translation.payload, steps, by=by, at=at,
        because=f"Translated again by {_names(translation.maps)}.", field_maps=_used(rows, translation.maps),
        hands=value_hands(value.told for value in translation.mapped_values), by_mapping=True,
    )  # fmt: skip
    _move(case, version, connector, dropped=drop_proposal(case, by=by, at=at), by=by, at=at)
    return version


def message_of(case: ExceptionCase) -> InboxMessage:
    """The message of the exception's first version: what came in later with other content is shown beside it."""
    first = Occurrence.objects.filter(case=case).select_related("inbox_message__connection").order_by("id").first()
    if first is None:
        raise TranslationFailed(say("{ref} has no message to translate.", ref=case.ref))
    return first.inbox_message


def people_of(field_maps: Iterable[Mapping[str, Any]]) -> set[int]:
    """Who had a hand in a version by its maps: their authors, and who put them to use."""
    return {used[part] for used in field_maps for part in ("author", "put_to_use_by")}


def _translate(
    rows: Sequence[ActiveFieldMap], message: InboxMessage, case: ExceptionCase, connector: Connector
) -> Translation:
    """Whole, and still the document of this exception."""
    maps = [
        Versioned(MapVersion(row.direction, row.object_type, row.version.number), row.version.declared)
        for row in rows
        if row.version is not None
    ]
    found = translate_by(maps, message)
    if not found.is_whole:
        count = "1 fault" if len(found.faults) == 1 else f"{len(found.faults)} faults"
        raise TranslationFailed(
            say("{value}: {count}.", value=_names(found.maps) or "The field maps", count=count), errors_of(found)
        )
    try:
        named = (connector.object_type(found.payload), connector.business_key(found.payload))
        connector.read(found.payload)
    except MessageNotUnderstood as error:
        raise TranslationFailed(
            say("The maps make no readable document of it: {problem}", problem=error.problem)
        ) from error
    if named != (case.object_type, case.business_key):
        raise TranslationFailed(
            say(
                "The maps make another document of it now, {named} instead of {business_key}. Dismiss this "
                "exception, and have the source hand it over again under a new identifier.",
                named=named[1][:80],
                business_key=case.business_key[:80],
            ),
        )
    return found


def _names(maps: Sequence[MapVersion]) -> str:
    return " and ".join(used.in_words for used in maps)


def _used(rows: Iterable[ActiveFieldMap], maps: Sequence[MapVersion]) -> list[dict[str, object]]:
    """The versions that made it, as the version keeps them, with people by their numbers."""
    used = {(found.direction, found.object_type, found.number) for found in maps}
    return [
        {
            "direction": row.direction,
            "object_type": row.object_type,
            "number": row.version.number,
            "author": row.version.author_id,
            "put_to_use_by": row.changed_by_id,
        }
        for row in rows
        if row.version is not None and (row.direction, row.object_type, row.version.number) in used
    ]


def _usernames(people: Iterable[int]) -> list[str]:
    found = get_user_model()._default_manager.filter(pk__in=people).order_by("username")
    return [person.get_username() for person in found]


def _move(
    case: ExceptionCase,
    version: PayloadVersion,
    connector: Connector,
    *,
    dropped: Proposal | None,
    by: AbstractUser,
    at: datetime,
) -> None:
    verdict = "passes" if version.check_passed else "does not pass"
    summary = f"{by} had {case.ref} translated again: version {version.number} {verdict} the {version.check_name}."
    if dropped is not None:
        summary += " The open proposal no longer holds, because the content changed."
    record = connector.read(bytes(version.content))
    facts = facts_of(record)
    move(
        case,
        Action.TRANSLATE,
        by=by,
        at=at,
        because=version.reason,
        summary=summary,
        data={
            "version": version.number,
            "sha256": version.sha256,
            "field_maps": ["{direction} {object_type} {number}".format(**used) for used in version.field_maps],
            "mapped_by": _usernames(people_of(version.field_maps)),
            **steps_for_the_trail(version),
            "check": version.check_name,
            "passed": bool(version.check_passed),
            "dropped_proposal": dropped.frozen_sha256 if dropped else "",
        },
        assignee=case.assignee or by,
        waiting_for="",
        held_until=None,
        **facts,
        **scored(case, at=at, waiting=waiting_for([case.pk])[case.pk], changed=facts),
    )
    remember_identifiers(case, record)
