"""What the pages say of a review of access: its places and people by their names, and what ends with each line."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.queries.access import ADMINISTER, KINDS, WORKBENCH
from exceptions_app.queries.access_review import ALL, ROLE_SCOPE, place_names, role_sizes
from exceptions_app.queries.case_page import full_names
from exceptions_app.views.access import WORDS, why_no_use

_AT_ONCE = "from the next request on"


@dataclass(frozen=True, slots=True)
class Said:
    """One item in words. `by` is who gave it, `unused` why there is no last use, `ends` what ending it does."""

    what: str
    verbs: str
    by: str
    unused: str
    ends: str


def said_of(items: Collection[AccessReviewItem]) -> dict[int, Said]:
    """By the numbers of the items. Three queries, whatever they are about."""
    places = place_names({f"{item.kind}:{item.place}" for item in items if item.place})
    people = full_names({item.given_by for item in items if item.given_by})
    sizes = role_sizes()
    return {
        item.position: Said(
            what=what_of(item, places),
            verbs=", ".join(WORDS.get(verb, verb) for verb in item.verbs),
            by=people.get(item.given_by, item.given_by),
            unused=why_no_use(*item.verbs),
            ends=_ends(item, sizes),
        )
        for item in items
    }


def what_of(item: AccessReviewItem, places: Mapping[str, str]) -> str:
    if item.kind == AccessReviewItem.Kind.ROLE:
        return f"Role {item.role}, everywhere"
    if item.kind == AccessReviewItem.Kind.WORKBENCH:
        return WORDS[ADMINISTER].capitalize()
    kind = KINDS[item.kind]
    return f"{kind[0].upper()}{kind[1:]} {places.get(f'{item.kind}:{item.place}', item.place)}"


def _ends(item: AccessReviewItem, sizes: Mapping[str, int]) -> str:
    if item.kind == AccessReviewItem.Kind.ROLE:
        return f"{item.person} loses the role {item.role} in all its places, {_AT_ONCE}."
    if item.kind == AccessReviewItem.Kind.WORKBENCH:
        return f"{item.person} administers no more, {_AT_ONCE}."
    if item.person is None:
        number = sizes.get(item.role, 0)
        if not number:
            return f"Nobody has the role {item.role} now; whoever is given it has these rights there no more."
        whom = "the one person who has" if number == 1 else f"all {number} people who have"
        return f"Takes these rights there from {whom} the role {item.role}, {_AT_ONCE}."
    return f"{item.person} loses these rights there, {_AT_ONCE}; what a role gives them there stays."


def ended_words(item: AccessReviewItem) -> str:
    """What became of an item that somebody ended."""
    whose = str(item.person) if item.person is not None else f"everybody with the role {item.role}"
    what = what_of(item, place_names({f"{item.kind}:{item.place}"} if item.place else ()))
    if item.outcome == AccessReview.Kept.GONE:
        return f"It was not granted any more: {what}, of {whose}."
    return f"Ended: {what}, of {whose}."


def totals_of(review: AccessReview) -> str:
    """What came of the lines of a round that is over; empty before."""
    if review.closed_at is None:
        return ""
    words = f"{review.kept} confirmed, {review.ended} ended, {review.gone} gone before, {review.left_there} left"
    return f"{words}, {review.undecided} not decided" if review.cancelled_because else words


def scopes_of(reviews: Iterable[AccessReview]) -> dict[str, str]:
    """What each is about, in words. One query."""
    scopes = {review.scope for review in reviews}
    return {scope: _scope(scope, places) for places in [place_names(scopes)] for scope in scopes}


def _scope(scope: str, places: Mapping[str, str]) -> str:
    if scope == ALL:
        return "all access"
    if scope.startswith(ROLE_SCOPE):
        return f"role {scope.removeprefix(ROLE_SCOPE)}"
    kind = scope.partition(":")[0]
    return "who administers" if kind == WORKBENCH else f"{KINDS.get(kind, kind)} {places.get(scope, scope)}"
