"""What the pages say of a review of access: its places and people by their names, and what ends with each line."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.utils.text import capfirst
from django.utils.translation import gettext

from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.queries.access import ADMINISTER, KINDS, WORKBENCH
from exceptions_app.queries.access_review import ALL, ROLE_SCOPE, place_names, role_sizes
from exceptions_app.queries.case_page import full_names
from exceptions_app.views.access import WORDS, why_no_use
from exceptions_app.wording import Said, say, shown


@dataclass(frozen=True, slots=True)
class ItemWords:
    """One item in words. `by` is who gave it, `unused` why there is no last use, `ends` what ending it does."""

    what: str
    verbs: str
    by: str
    unused: str
    ends: str


def said_of(items: Collection[AccessReviewItem]) -> dict[int, ItemWords]:
    """By the numbers of the items. Three queries, whatever they are about."""
    places = place_names({f"{item.kind}:{item.place}" for item in items if item.place})
    people = full_names({item.given_by for item in items if item.given_by})
    sizes = role_sizes()
    return {
        item.position: ItemWords(
            what=what_of(item, places),
            verbs=", ".join(shown(WORDS.get(verb, verb)) for verb in item.verbs),
            by=people.get(item.given_by, item.given_by),
            unused=shown(why_no_use(*item.verbs)),
            ends=_ends(item, sizes),
        )
        for item in items
    }


def what_of(item: AccessReviewItem, places: Mapping[str, str]) -> str:
    if item.kind == AccessReviewItem.Kind.ROLE:
        return shown(say("Role {role}, everywhere", role=item.role))
    if item.kind == AccessReviewItem.Kind.WORKBENCH:
        return capfirst(shown(WORDS[ADMINISTER]))
    return capfirst(f"{shown(KINDS[item.kind])} {places.get(f'{item.kind}:{item.place}', item.place)}")


def _ends(item: AccessReviewItem, sizes: Mapping[str, int]) -> str:
    person, role = item.person, item.role
    if item.kind == AccessReviewItem.Kind.ROLE:
        told = say(
            "{person} loses the role {role} in all its places, from the next request on.", person=person, role=role
        )
    elif item.kind == AccessReviewItem.Kind.WORKBENCH:
        told = say("{person} administers no more, from the next request on.", person=person)
    elif person is not None:
        told = say(
            "{person} loses these rights there, from the next request on; what a role gives them there stays.",
            person=person,
        )
    else:
        told = _ends_of_role(role, sizes.get(role, 0))
    return shown(told)


def _ends_of_role(role: str, number: int) -> Said:
    if not number:
        return say("Nobody has the role {role} now; whoever is given it has these rights there no more.", role=role)
    if number == 1:
        return say(
            "Takes these rights there from the one person who has the role {role}, from the next request on.", role=role
        )
    return say(
        "Takes these rights there from all {number} people who have the role {role}, from the next request on.",
        number=number, role=role,
    )  # fmt: skip


def ended_words(item: AccessReviewItem) -> str:
    """What became of an item that somebody ended."""
    what = what_of(item, place_names({f"{item.kind}:{item.place}"} if item.place else ()))
    whose = str(item.person) if item.person is not None else say("everybody with the role {role}", role=item.role)
    if item.outcome == AccessReview.Kept.GONE:
        return shown(say("It was not granted any more: {what}, of {whose}.", what=what, whose=whose))
    return shown(say("Ended: {what}, of {whose}.", what=what, whose=whose))


def totals_of(review: AccessReview) -> str:
    """What came of the lines of a round that is over; empty before."""
    if review.closed_at is None:
        return ""
    words = say(
        "{kept} confirmed, {ended} ended, {gone} gone before, {left} left",
        kept=review.kept, ended=review.ended, gone=review.gone, left=review.left_there,
    )  # fmt: skip
    if review.cancelled_because:
        words = say("{totals}, {number} not decided", totals=words, number=review.undecided)
    return shown(words)


def scopes_of(reviews: Iterable[AccessReview]) -> dict[str, str]:
    """What each is about, in words. One query."""
    scopes = {review.scope for review in reviews}
    return {scope: _scope(scope, places) for places in [place_names(scopes)] for scope in scopes}


def _scope(scope: str, places: Mapping[str, str]) -> str:
    if scope == ALL:
        return gettext("all access")
    if scope.startswith(ROLE_SCOPE):
        return shown(say("role {role}", role=scope.removeprefix(ROLE_SCOPE)))
    kind = scope.partition(":")[0]
    if kind == WORKBENCH:
        return gettext("who administers")
    return f"{shown(KINDS.get(kind, kind))} {places.get(scope, scope)}"
