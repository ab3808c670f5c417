"""Everything that is stored sealed, sealed anew with the newest key, so that the earlier ones can be taken away.

These are the secrets of connections, pull sources and archives, and the second factors of people. What a page carries
sealed is stored nowhere and is over within minutes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.db import connection as database
from django.db import models, transaction
from django.db.models.functions import Cast

from audit import log
from exceptions_app.actions.connections import SCOPE, subject_of
from exceptions_app.actions.grants import require_administrator
from exceptions_app.actions.mover import Invalid
from integrations.secret_box import SealedTextField, Unsealable, is_newest, seal, unseal
from workbench.models import User

AT_A_TIME = 200
"""Rows of one transaction: whoever wants one of them waits for as long as that takes, some tenths of a second."""
_ADVISORY_LOCK = int.from_bytes(b"wb:seals", "big")
_IN_FACTORS = ("secret", "seed", "migrated_codes")
"""Of what allauth keeps of a second factor, what it has us seal."""


@dataclass(slots=True)
class Sealed:
    """What came of it: how many rows of each kind were sealed anew or were so already, and which no key opens."""

    anew: Counter[str] = field(default_factory=Counter)
    already: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    def opened(self, old: Mapping[str, str], subject: str, called: str) -> dict[str, str]:
        """Of one row, in clear, what the newest key has not sealed; what no key opens is left as it is. Counts it."""
        opened, lost = {}, []
        for name, sealed in old.items():
            if is_newest(sealed):
                continue
            try:
                opened[name] = unseal(sealed)
            except Unsealable:
                lost.append(f"{subject} ({name})")
        if opened:
            self.anew[called] += 1
        elif old and not lost:
            self.already[called] += 1
        self.lost += lost
        return opened


def seal_all_anew(*, by: AbstractUser, at: datetime, because: str) -> Sealed:
    """Seal with the first key whatever another one sealed. Raises NotPermitted, and Invalid while another does it.

    Each batch is a transaction of its own, with an event about every row of it. Who was cut off begins again: what is
    done is passed by. The event at the end has the counts, also when nothing was left to do.
    """
    require_administrator(by)
    if not because.strip():
        raise Invalid("because", "Say why; the auditor reads it.")
    found = Sealed()
    signed: dict[str, Any] = {"actor": by.get_username(), "at": at, "because": because.strip()}
    with _alone():
        for model, names in sealed_columns():
            _to_the_end(partial(_rows_anew, model, names, found=found, signed=signed))
        _to_the_end(partial(_people_anew, found=found, signed=signed))
        with transaction.atomic():
            _tell_all(found, by, signed)
    return found


def _to_the_end(batch: Callable[[int], int | None]) -> None:
    """One batch after the other, each from the last row of the one before."""
    last: int | None = 0
    while last is not None:
        last = batch(last)


def sealed_columns() -> list[tuple[type[models.Model], tuple[str, ...]]]:
    """The tables with columns that are sealed, and these."""
    found = [
        (model, tuple(one.name for one in model._meta.concrete_fields if isinstance(one, SealedTextField)))
        for model in apps.get_models()
        if not model._meta.proxy
    ]
    return sorted(((model, names) for model, names in found if names), key=lambda one: one[0]._meta.label)


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time; ends with the session of the database at the latest."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            raise Invalid("keys", "Somebody does this already. Wait until they are through.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])


@transaction.atomic
def _rows_anew(
    model: type[models.Model], names: Sequence[str], after: int, *, found: Sealed, signed: dict[str, Any]
) -> int | None:
    """The next rows of a table; returns the last of them, None when there was none."""
    # As they stand in the database: what no key opens is told, and keeps nothing else from being sealed anew.
    stored = {f"stored_{name}": Cast(name, models.TextField()) for name in names}
    rows = model._default_manager.defer(*names).annotate(**stored).filter(pk__gt=after).order_by("pk")
    batch = list(rows.select_for_update(of=("self",), no_key=True)[:AT_A_TIME])
    entries = []
    changed: defaultdict[str, list[models.Model]] = defaultdict(list)
    for row in batch:
        subject = subject_of(row)
        old = {name: sealed for name in names if (sealed := getattr(row, f"stored_{name}"))}
        opened = found.opened(old, subject, str(model._meta.verbose_name_plural))
        for name, text in opened.items():
            setattr(row, name, text)
            changed[name].append(row)
        if opened:
            entries.append(_entry(subject, f"the secrets of {row}", sorted(opened), signed))
    for name, those in changed.items():
        model._default_manager.bulk_update(those, [name])  # the column seals what it is given
    log.record_many(entries)
    return batch[-1].pk if batch else None


@transaction.atomic
def _people_anew(after: int, *, found: Sealed, signed: dict[str, Any]) -> int | None:
    """The second factors of the next people, who are locked first, as by whatever else changes a second factor."""
    with_one = Authenticator.objects.values("user_id")
    people = User.objects.select_for_update(of=("self",), no_key=True).filter(pk__gt=after, pk__in=with_one)
    batch = {person.pk: person for person in people.order_by("pk")[:AT_A_TIME]}
    entries = []
    for stored in Authenticator.objects.select_for_update().filter(user_id__in=batch).order_by("pk"):
        person = batch[stored.user_id]
        subject = f"person:{person.get_username()}"
        old = {name: sealed for name in _IN_FACTORS if (sealed := stored.data.get(name))}
        opened = found.opened(_one_by_one(old), subject, "second factors")
        if opened:
            stored.data |= {name: _with(sealed, name, opened) for name, sealed in old.items()}
            stored.save(update_fields=["data"])
            entries.append(_entry(subject, f"a second factor of {person}", [stored.type], signed))
    log.record_many(entries)
    return max(batch) if batch else None


def _one_by_one(old: dict[str, Any]) -> dict[str, str]:
    """With a name for each element of what is a list."""
    alone = {name: sealed for name, sealed in old.items() if isinstance(sealed, str)}
    listed = {name: sealed for name, sealed in old.items() if isinstance(sealed, list)}
    return alone | {f"{name}.{place}": one for name, sealed in listed.items() for place, one in enumerate(sealed)}


def _with(sealed: Any, name: str, opened: dict[str, str]) -> Any:
    """The same value, with what was opened of it sealed anew."""
    if isinstance(sealed, list):
        return [_with(one, f"{name}.{place}", opened) for place, one in enumerate(sealed)]
    return seal(opened[name]) if name in opened else sealed


def _entry(subject: str, of_what: str, names: Sequence[str], signed: dict[str, Any]) -> log.Entry:
    words = f"{signed['actor']} had {of_what} sealed with the newest key."
    return log.Entry(
        action="secret.sealed_anew", subject=subject, scope=SCOPE, summary=words, data={"sealed": list(names)}, **signed
    )


def _tell_all(found: Sealed, by: AbstractUser, signed: dict[str, Any]) -> None:
    data = {"anew": dict(found.anew), "already": dict(found.already), "lost": found.lost[:100]}
    words = f"{by} had all that is sealed sealed with the newest key: {found.anew.total()} anew, "
    words += f"{found.already.total()} were so already, {len(found.lost)} could not be opened."
    log.record("keys.changed", subject="keys:fields", scope=SCOPE, summary=words, data=data, **signed)
