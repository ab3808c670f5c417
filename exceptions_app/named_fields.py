"""What a field holds that somebody names without a document at hand: by its term, or by its label in the form.

The connectors say which labels there are, and `field_classes` what is declared of the places that these belong to.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from exceptions_app.field_classes import FieldClass, class_of
from integrations.connectors.erp.terms import LAYOUTS
from integrations.connectors.erp_master.terms import TERMS as MASTER_TERMS
from integrations.connectors.registry import CONNECTORS

_NUMBERED: Final = re.compile(r" (?:\(\d+\)|\d+)\Z")  # the label of what a document has more than once


def _labels() -> Iterator[tuple[str, FieldClass]]:
    for connector in CONNECTORS.values():
        for field in connector.vocabulary:
            yield field.label, class_of("", term=field.term)
    # The fields of an ERP have no terms, but names that say what they hold.
    for terms in (*(terms for layout in LAYOUTS.values() for terms in (layout.head, layout.line)), MASTER_TERMS):
        for name, term in terms.items():
            yield term.label, class_of(name)


_MASKED: Final[Mapping[str, FieldClass]] = MappingProxyType(
    {label.casefold(): found for label, found in _labels() if found is not FieldClass.INTERNAL}
)


def class_named(name: str) -> FieldClass:
    """The class of the field of this term or label; of one that a source added the label is made of its name."""
    by_term = class_of("", term=name.strip())
    if by_term is not FieldClass.INTERNAL:
        return by_term
    label = name.strip().casefold()
    found = _MASKED.get(label) or _MASKED.get(_NUMBERED.sub("", label))
    return found or class_of(label.replace(" ", "_"))
