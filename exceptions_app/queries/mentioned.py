"""Whom a comment names, among those who may see the exception: nobody else is told, and nobody else is named."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractUser
from django.db.models.functions import Lower

from exceptions_app.mentions import names_in
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.case_page import people_who_may
from exceptions_app.states import Verb


@dataclass(frozen=True, slots=True)
class Mentioned:
    """`unknown` are names of nobody who may see the exception, whether there is such an account or not."""

    people: Sequence[AbstractUser] = ()
    unknown: Sequence[str] = ()


def mentioned_in(text: str, case: ExceptionCase) -> Mentioned:
    """One query, or none for a text that names nobody."""
    names = names_in(text)
    if not names:
        return Mentioned()
    seeing = people_who_may(Verb.SEE, case).annotate(lower_name=Lower("username"))
    people = list(seeing.filter(lower_name__in=names))
    known = {person.get_username().lower() for person in people}
    return Mentioned(people, [name for name in names if name not in known])
