"""References such as EX-1042: a prefix that says what it is, and the number of the row."""

from typing import ClassVar, Self, TypeVar

from django.db import models

_LONGEST = 17  # digits that a bigint holds, whatever they are
_Row = TypeVar("_Row", bound=models.Model)


def number_in(ref: str, prefix: str = "") -> int | None:
    """The number in a reference, such as 1042 in EX-1042, or in a text that is a number; None when the text is none."""
    number = ref.upper().removeprefix(prefix)
    return int(number) if number.isascii() and number.isdigit() and len(number) <= _LONGEST else None


class NumberedQuerySet(models.QuerySet[_Row]):
    """Rows that people call by a reference."""

    prefix: ClassVar[str]

    def with_ref(self, ref: str) -> Self:
        """The row of a reference; none for a text that is no reference."""
        number = number_in(ref, self.prefix)
        return self.none() if number is None else self.filter(pk=number)


class Numbered(models.Model):
    """A row that people call by a reference, and the audit trail by its subject."""

    ref_prefix: ClassVar[str]
    subject_prefix: ClassVar[str]

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return f"{self.ref_prefix}{self.pk}"

    @property
    def subject(self) -> str:
        """Its name in the audit trail."""
        return f"{self.subject_prefix}{self.pk}"
