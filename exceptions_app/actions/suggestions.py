"""What a correction made of the values that were suggested beside its fields."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from exceptions_app.models import PayloadVersion, Suggestion
from exceptions_app.queries.precedents import Precedent
from exceptions_app.typed_values import is_same_value


def record_suggestions(version: PayloadVersion, offered: Iterable[Precedent], *, at: datetime) -> list[Suggestion]:
    """Write down which were taken and where something else was typed. What was left as it was is not decided on."""
    decided = ((one, _saved_in(version, one)) for one in offered)
    return Suggestion.objects.bulk_create(
        Suggestion(
            case_id=version.case_id,
            version=version,
            path=one.field.path,
            label=one.field.label,
            was=one.was,
            value=one.value,
            agreeing=one.agreeing,
            of=one.of,
            accepted=is_same_value(saved, one.value, one.field),
            recorded_at=at,
        )
        for one, saved in decided
        if saved is not None
    )


def _saved_in(version: PayloadVersion, offered: Precedent) -> str | None:
    """What the version has in the field; None when it did not change it. A missing field gets another path."""
    place = offered.field
    for change in version.changes:
        same = (change["term"], change["group"], change["label"]) == (place.term, place.group, place.label)
        if same or change["path"] == place.path:
            return str(change["will_be"])
    return None


def for_the_trail(suggestions: Sequence[Suggestion]) -> list[Mapping[str, object]]:
    """Of what was declined the value stays out: it is of other documents, and came into this one nowhere."""
    return [
        {
            "field": one.label,
            "path": one.path,
            **({"suggested": one.value} if one.accepted else {}),
            "agreeing": one.agreeing,
            "of": one.of,
            "accepted": one.accepted,
        }
        for one in suggestions
    ]
