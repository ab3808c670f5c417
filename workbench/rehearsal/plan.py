"""What a rehearsal is to be: how many replays, against which targets, and what is done to them meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from integrations.delivery.safeguards import Safeguard
from workbench.rehearsal.lanes import BY_DEFAULT

REPLAYS: Final = 700
MINUTES: Final = 1.0
TIMEOUT: Final = 2  # seconds; the lease follows from it
MOST_IN_A_SCENE: Final = 8  # what one claim takes, so that all of it is in the same hands


@dataclass(frozen=True, slots=True)
class Fault:
    """A share of the requests at the target: of the submissions, or of the questions."""

    name: str
    share: float
    on_submissions: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Mix:
    """How hard it blows. The numbers of blows are for a minute."""

    faults: tuple[Fault, ...] = ()
    late: float = 0.0  # the share of submissions that take effect after their connection was cut
    kills: int = 0
    freezes: int = 0
    database_restarts: int = 0
    flushes: int = 0
    broker_restarts: int = 0
    toxics: int = 0
    pause_before_sending: float = 0.0  # seconds, at most
    pause_after_asking: float = 0.0  # the share of look-ups after which one of the workers pauses longer than its lease
    timeout: int = TIMEOUT  # seconds; of every connection
    doubtful: float = 0.25  # the share of exceptions of which the source does not know whether they were booked
    twins: float = 0.02  # beside the replays, as shares of them: documents that came in twice,
    unapproved: float = 0.02  # and rows in the outbox that nobody approved


STORM: Final = Mix(
    faults=(
        Fault("timeout_before", 0.06),
        Fault("timeout_after", 0.02, seconds=3),
        Fault("drop_mid_answer", 0.03),
        Fault("error_after", 0.03),
        Fault("garbage", 0.02),
        Fault("already_done_4xx", 0.01),
        Fault("down", 0.03),
        Fault("too_many_requests", 0.02),
        Fault("timeout_before", 0.04, on_submissions=False),
        Fault("garbage", 0.02, on_submissions=False),
    ),
    late=0.04,
    kills=25,
    freezes=15,
    database_restarts=2,
    flushes=2,
    broker_restarts=1,
    toxics=8,
    pause_before_sending=0.15,
    pause_after_asking=0.02,
)
_CALM: Final = Mix(twins=0.0, unapproved=0.0, doubtful=0.0)
_LONG_LEASE: Final = 30  # seconds of time-out: on the slowest machine another looks for work before it is over
_IN_DOUBT: Final = replace(_CALM, doubtful=1.0)  # so that the target is asked before anything is sent


@dataclass(frozen=True, slots=True)
class Proof:
    """Where a safeguard shows what it is for: on which kind of target, and which check then fails.

    In a storm chance alone would have to bring it about, so a scene is played instead (`scenes`).
    """

    kind: str
    mix: Mix
    check: str


PROOFS: Final[Mapping[Safeguard, Proof]] = MappingProxyType(
    {
        Safeguard.STABLE_KEY: Proof("deduplicates", _CALM, "one effect"),
        Safeguard.INTENT_FIRST: Proof("askable", _CALM, "intent first"),
        Safeguard.ASK_FIRST: Proof("askable", _CALM, "one effect"),
        Safeguard.SETTLE_TIME: Proof("askable-resend", _CALM, "one effect"),
        Safeguard.EPOCH: Proof("askable", _IN_DOUBT, "epoch kept"),
        Safeguard.LEASE: Proof("deduplicates", replace(_IN_DOUBT, timeout=_LONG_LEASE), "lease kept"),
        Safeguard.APPROVAL: Proof("deduplicates", replace(_CALM, unapproved=1.0), "approved only"),
        Safeguard.ONE_LIVE: Proof("askable", replace(_CALM, twins=1.0), "one effect"),
        Safeguard.IN_TIME: Proof("askable-resend", _CALM, "one effect"),
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`naive` runs the control instead of the product's engine; `scene` is played instead of a storm."""

    replays: int = REPLAYS
    minutes: float = MINUTES
    seed: int = 1
    kinds: tuple[str, ...] = BY_DEFAULT
    without: Safeguard | None = None
    naive: bool = False
    mix: Mix = field(default=STORM)
    scene: Safeguard | None = None

    @property
    def seconds(self) -> float:
        return 60.0 * self.minutes

    def shares(self) -> dict[str, int]:
        """How many replays each kind of target gets."""
        each, more = divmod(self.replays, len(self.kinds))
        return {kind: each + (place < more) for place, kind in enumerate(self.kinds)}


def plan_without(safeguard: Safeguard, *, seed: int = 1) -> Plan:
    """The scene in which the safeguard is missing and the check that it is for must fail."""
    return replace(scene_of(safeguard, seed=seed), without=safeguard)


def scene_of(safeguard: Safeguard, *, seed: int = 1) -> Plan:
    """The same scene with every safeguard in its place: all checks must hold.

    It has as many replays as it needs, and takes no minutes.
    """
    proof = PROOFS[safeguard]
    replays = int(MOST_IN_A_SCENE / (1 + proof.mix.twins + proof.mix.unapproved))
    return Plan(replays=replays, minutes=0, seed=seed, kinds=(proof.kind,), mix=proof.mix, scene=safeguard)
