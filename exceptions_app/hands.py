"""Who had a hand in what led to a proposal, and hence may not decide on it."""
# ruff: noqa: S608 - made of constants of `models.duties`

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection as database

from audit.queries import EventFilter, events
from exceptions_app.models import ExceptionCase, MappingEntry, Proposal, Transaction
from exceptions_app.models.duties import HANDS
from exceptions_app.models.value_mapping import MAPPING_PREFIX
from exceptions_app.wording import say
from integrations.models import FieldMap

_MOST_EVENTS = 500


@dataclass(frozen=True, slots=True, order=True)
class Hand:
    """What one person did on the way to what is proposed."""

    person: int
    part: str  # one of _RANK
    what: str = ""

    @property
    def kept(self) -> dict[str, Any]:
        """As a version keeps it."""
        return {"person": self.person, "part": self.part, "what": self.what}

    @property
    def in_words(self) -> str:
        """Why this person may not decide, for themselves."""
        which = f" ({self.what})" if self.what else ""
        return {
            "proposed": say("You proposed this; someone else must decide."),
            "mapped": say(
                "You wrote or put to use a field map that made this{which}; someone else must decide.", which=which
            ),
            "valued": say(
                "You wrote the mapping that gave a value in this{which}; someone else must decide.", which=which
            ),
            "approved": APPROVED_FIRST,
            "answers": say("You answer for the service account that had a hand in this; someone else must decide."),
        }.get(self.part, say("You prepared this correction; someone else must decide."))


_RANK = ("proposed", "corrected", "mapped", "valued", "approved", "answers")
HAD_A_HAND = say("You had a hand in this; someone else must decide.")
APPROVED_FIRST = say("You approved this already, as the first of two; someone else must be the second.")


def hands_of(proposal: Proposal) -> list[Hand]:
    """Everyone with a hand in it and what they did, the nearest part of each first. One query."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT hand.id, hand.part, hand.what FROM public.exceptions_app_proposal proposed "
            f"CROSS JOIN LATERAL ({HANDS}) hand WHERE proposed.id = %s",
            [proposal.pk],
        )
        found = [Hand(*row) for row in cursor.fetchall()]
    # Of two rows that say the same, the one that says what of comes first.
    return sorted(found, key=lambda hand: (_RANK.index(hand.part) if hand.part in _RANK else 9, not hand.what, hand))


def own_part(hands: Iterable[Hand], person: int) -> str:
    """What keeps a person from deciding, whatever they are granted; empty for those without a hand in it."""
    return next((hand.in_words for hand in hands if hand.person == person), "")


def value_hands(told: Iterable[Mapping[str, Any]]) -> list[Hand]:
    """Who wrote the rows of value mappings that gave these values; `told` as `MappedValue.told`. One query, or none.

    Whoever approved a row is not among them: they judged it as a second person, and made nothing.
    """
    asked = {(str(one["mapping"]), int(one["version"]), str(one["source"])) for one in told}
    if not asked:
        return []
    numbers = {int(ref.removeprefix(MAPPING_PREFIX)) for ref, _, _ in asked}
    entries = MappingEntry.objects.filter(mapping__in=numbers, source_value__in={source for _, _, source in asked})
    rows = entries.values_list("mapping", "version", "source_value", "row__proposal__proposer")
    return sorted(
        {
            Hand(person, "valued", mapping_in_words(mapping, version))
            for mapping, version, source, person in rows
            if (f"{MAPPING_PREFIX}{mapping}", version, source) in asked
        }
    )


def mapping_in_words(mapping: int, version: int) -> str:
    return f"{MAPPING_PREFIX}{mapping} version {version}"


def arrival_hands(case: ExceptionCase, transactions: Iterable[Transaction] | None = None) -> list[Hand]:
    """Who wrote or put to use the field maps, and who wrote the mappings, that made what was handed over.

    From the audit trail of its transactions, which says what each was translated by. One query where none was.
    """
    found = Transaction.objects.filter(case=case).only("pk") if transactions is None else transactions
    subjects = [one.subject for one in found]
    if not subjects:
        return []
    read = events(EventFilter(scopes=None, subjects=subjects), limit=_MOST_EVENTS).entries
    maps = {str(name) for event in read for name in event.data.get("field_maps", ())}
    values = [value for event in read for value in event.data.get("mapped_values", ())]
    return _map_hands(case, maps) + value_hands(values)


def _map_hands(case: ExceptionCase, names: set[str]) -> list[Hand]:
    """Of versions of field maps such as “inbound invoice 3”. Three queries, or none."""
    if not names:
        return []
    people: defaultdict[str, set[int]] = defaultdict(set)
    for saved in FieldMap.objects.filter(connection=case.connection_id).defer("declared"):
        people[str(saved)].add(saved.author_id)
    switched = EventFilter(scopes=None, subject=f"connection:{case.connection.slug}", action="field_map.activated")
    users: dict[str, set[str]] = defaultdict(set)
    for event in events(switched, limit=_MOST_EVENTS).entries:
        users["{direction} {object_type} {will_be}".format(**event.data)].add(event.actor)
    wanted = {username for name in names for username in users[name]}
    keys = dict(get_user_model().objects.filter(username__in=wanted).values_list("username", "pk"))
    for name in names:
        people[name] |= {keys[username] for username in users[name] if username in keys}
    return sorted(Hand(person, "mapped", name) for name in names for person in people[name])
