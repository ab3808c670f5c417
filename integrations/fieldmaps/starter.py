"""A map to begin with: a rule for every field that the canonical document must have."""

import json
from typing import Any

from integrations.models import Direction
from integrations.records.record import ValueKind
from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.description import NUMERIC, Part, Term


def starter_for(direction: str, object_type: str) -> str:
    """The same names on both sides; whoever writes the map puts the source's or the target's own in their place."""
    described = DESCRIPTIONS[object_type]
    whole = direction == Direction.OUTBOUND
    return json.dumps({"tables": {}, "rules": _rules(described, (), whole=whole)}, indent=2)


def _rules(part: Part, above: tuple[str, ...], *, whole: bool) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for member in part.members:
        place = "/" + "/".join((*above, member.name))
        if isinstance(member, Part) and member.is_list:
            rules.append({"to": place, "each": place, "required": True, "rules": _rules(member, (), whole=whole)})
        elif isinstance(member, Part):
            rules += _rules(member, (*above, member.name), whole=True)
        elif whole or member.required:
            rules.append(_rule(member, place))
    return rules


def _rule(term: Term, place: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"to": place, "from": place}
    if term.kind in NUMERIC:
        rule["as"] = "decimal"
    elif term.kind is ValueKind.DATE:
        rule["as"] = "date"
    return rule | ({"required": True} if term.required else {})
