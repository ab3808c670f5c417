"""Value mappings as JSON: what is asked, and what is answered."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from exceptions_app.api.requests import REASON_LENGTH, Approve, Reject
from exceptions_app.api.responses import Money, OpinionShape, Person, Shape, money_of, opinion_as_json, person_of
from exceptions_app.api.strict import StrictSerializer, Text
from exceptions_app.mapping_states import LONGEST_VALUE, MOST_MENDS, MOST_ROWS, MappingState
from exceptions_app.models import MappingEntry, MappingProposal
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.mapping_effect import Backtest, Effect
from exceptions_app.queries.value_mappings import MappingLine, Preparation, ShownRow
from integrations.value_kinds import KIND_WORDS, ValueKind

REF: Final = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance VM-3."
)  # fmt: skip
PROPOSAL: Final = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance MP-12."
)  # fmt: skip
_KINDS = ", ".join(ValueKind)
KINDS: Final = [(kind.value, KIND_WORDS[kind].title) for kind in ValueKind]


class MappingRowBody(StrictSerializer):
    """One row: a value of the source, what it is at the target, and on which days."""

    source_value = Text(max_length=LONGEST_VALUE, help_text="As the source writes it, capitals included.")
    target_value = Text(
        max_length=LONGEST_VALUE, allow_blank=True, required=False, default="",
        help_text="What the target is to get. Empty ends what holds on these days.",
    )  # fmt: skip
    valid_from = serializers.DateField(
        required=False,
        allow_null=True,
        default=None,
        help_text="By the date of the document; null: from the beginning.",
    )
    valid_to = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="Included; null: until it is changed."
    )


class MappingScope(StrictSerializer):
    """Which mapping, and rows for it."""

    kind = serializers.ChoiceField(choices=KINDS, help_text=f"One of {_KINDS}.")
    connection = Text(max_length=50, help_text="The connection that leads to the target.")
    entity = Text(
        max_length=20, required=False, allow_null=True, default=None,
        help_text="Code of the legal entity; null for all of them.",
    )  # fmt: skip
    rows = serializers.ListField(
        child=MappingRowBody(), min_length=1, max_length=MOST_ROWS,
        error_messages={
            "not_a_list": "This is not a list of rows.",
            "min_length": "The list is empty. Send at least one row.",
            "max_length": "There are more than {max_length} rows in this request.",
        },
    )  # fmt: skip


class ProposeMapping(MappingScope):
    """Rows for which somebody else is asked, with the open exceptions that go with them."""

    queue = Text(
        max_length=50, required=False, allow_null=True, default=None,
        help_text="The queue whose team owns the mapping. Needed while there is none of this kind and target.",
    )  # fmt: skip
    because = Text(max_length=REASON_LENGTH, help_text="Why these values belong together; who decides reads it.")
    exceptions = serializers.ListField(
        child=Text(max_length=30, help_text="For instance EX-1042."), required=False, max_length=MOST_MENDS,
        default=list,
        help_text="Open exceptions that are corrected by the rows and replayed with the same decision, as the preview "
        "lists them.",
        error_messages={
            "not_a_list": "This is not a list of references.",
            "max_length": "There are more than {max_length} references in this request.",
        },
    )  # fmt: skip


class ApproveMapping(Approve):
    """Agree to the rows whose hash is named."""


class RejectMapping(Reject):
    """Say no to the rows whose hash is named."""


class ValueMappingShape(Shape):
    """The values of one kind on the way to one target, for one legal entity or for all of them."""

    ref = serializers.CharField()
    kind = serializers.CharField(help_text=f"One of {_KINDS}.")
    connection = serializers.CharField()
    entity = serializers.CharField(allow_null=True, help_text="null: for all of them.")
    queue = serializers.CharField(help_text="The team that owns it.")
    version = serializers.IntegerField(help_text="Counts the approved proposals.")
    rows_holding = serializers.IntegerField(help_text="Whatever the day.")
    proposals_waiting = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class MappingEntryShape(Shape):
    """A row that holds, or held."""

    source_value = serializers.CharField()
    target_value = serializers.CharField()
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)
    version = serializers.IntegerField(help_text="Of the mapping, in which it was written.")
    retired_in = serializers.IntegerField(allow_null=True, help_text="The version that replaced or ended it.")
    proposal = serializers.CharField(help_text="The proposal that brought it.")
    proposer = Person()
    decider = Person()


class PreparationShape(Shape):
    """How far the exceptions that go with it are prepared."""

    prepared = serializers.IntegerField()
    left_out = serializers.IntegerField()
    of = serializers.IntegerField()


class ListedMappingProposal(Shape):
    """Rows that wait for a second person, or what was said of them."""

    ref = serializers.CharField()
    mapping = serializers.CharField()
    state = serializers.CharField(help_text=", ".join(MappingState))
    count = serializers.IntegerField(help_text="How many rows it has.")
    batch = serializers.CharField(
        help_text="The batch of replays that is decided on with it; empty when there is none."
    )
    exceptions = serializers.IntegerField(help_text="How many are prepared for it in the background.")
    because = serializers.CharField()
    proposer = Person()
    proposed_at = serializers.DateTimeField()
    policy_version = serializers.CharField()
    frozen_sha256 = serializers.CharField(help_text="What an approval is bound to.")
    decision = OpinionShape(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class MappingProposalShape(ListedMappingProposal):
    """Rows that wait for a second person, or what was said of them, and how far they are prepared."""

    preparation = PreparationShape(allow_null=True, help_text="null when nothing is prepared in the background.")


class ReplacedShape(Shape):
    target_value = serializers.CharField()
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)


class MappingRowShape(Shape):
    """A proposed row, and what it replaces."""

    position = serializers.IntegerField()
    source_value = serializers.CharField()
    target_value = serializers.CharField(help_text="Empty: it ends what holds on these days.")
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)
    replaces = ReplacedShape(many=True)


class MendShape(Shape):
    """An open exception with such a value."""

    exception = serializers.CharField()
    refusal = serializers.CharField(help_text="Why it cannot go with the rows; empty when it can.")


class WronglyShape(Shape):
    exception = serializers.CharField()
    value = serializers.CharField(help_text="What went to the target in the end.")
    would_be = serializers.CharField(help_text="What the rows had given.")


class BacktestShape(Shape):
    """What the rows had done to closed exceptions, the newest of them."""

    right = serializers.ListField(child=serializers.CharField())
    wrongly = WronglyShape(many=True)
    otherwise = serializers.IntegerField(help_text="Ended in a way that says nothing about the value.")


class MappingEffectShape(Shape):
    """What the rows would do. Nothing was saved."""

    exceptions = MendShape(many=True, help_text="The first that were looked at.")
    not_looked_at = serializers.ListField(
        child=serializers.CharField(), help_text="Whether these can go is judged when their turn comes."
    )
    sums = Money(many=True, help_text="Of all that can go, as far as is known now.")
    backtest = BacktestShape(allow_null=True, help_text="null while no row has a target value.")


def mapping_as_json(line: MappingLine) -> dict[str, Any]:
    mapping = line.mapping
    return {
        "ref": mapping.ref,
        "kind": mapping.kind,
        "connection": mapping.connection.slug,
        "entity": mapping.entity.code if mapping.entity else None,
        "queue": mapping.queue.slug,
        "version": mapping.version,
        "rows_holding": line.holding,
        "proposals_waiting": line.waiting,
        "created_at": mapping.created_at,
    }


def entry_as_json(entry: MappingEntry) -> dict[str, Any]:
    proposal = entry.row.proposal
    return {
        **_period(entry),
        "source_value": entry.source_value,
        "version": entry.version,
        "retired_in": entry.retired_in,
        "proposal": proposal.ref,
        "proposer": person_of(proposal.proposer),
        "decider": person_of(proposal.decision.decider),
    }


def _period(row: Any) -> dict[str, Any]:
    return {"target_value": row.target_value, "valid_from": row.valid_from, "valid_to": row.valid_to}


def listed_as_json(proposal: MappingProposal) -> dict[str, Any]:
    decision = getattr(proposal, "decision", None)
    return {
        "ref": proposal.ref,
        "mapping": proposal.mapping.ref,
        "state": proposal.state,
        "count": proposal.count,
        "batch": proposal.batch.ref if proposal.batch else "",
        "exceptions": proposal.mends,
        "because": proposal.because,
        "proposer": person_of(proposal.proposer),
        "proposed_at": proposal.proposed_at,
        "policy_version": proposal.policy_version,
        "frozen_sha256": proposal.frozen_sha256,
        "decision": opinion_as_json(decision),
        "closed_at": proposal.closed_at,
    }


def proposal_as_json(proposal: MappingProposal, found: Preparation | None) -> dict[str, Any]:
    far = {"prepared": found.prepared, "left_out": found.left_out, "of": proposal.mends} if found else None
    return listed_as_json(proposal) | {"preparation": far}


def row_as_json(shown: ShownRow) -> dict[str, Any]:
    row = shown.row
    return {
        **_period(row),
        "position": row.position,
        "source_value": row.source_value,
        "replaces": [_period(entry) for entry in shown.was],
    }


def effect_as_json(effect: Effect) -> dict[str, Any]:
    return {
        "exceptions": [{"exception": mend.case.ref, "refusal": mend.refusal} for mend in effect.mends],
        "not_looked_at": [f"{REF_PREFIX}{found.number}" for found in effect.later],
        "sums": [money_of(amount, currency) for currency, amount in effect.money.items()],
        "backtest": _backtest(effect.backtest) if effect.backtest is not None else None,
    }


def _backtest(found: Backtest) -> dict[str, Any]:
    return {
        "right": [case.ref for case in found.right],
        "wrongly": [{"exception": one.case.ref, "value": one.value, "would_be": one.would_be} for one in found.wrongly],
        "otherwise": found.otherwise,
    }
