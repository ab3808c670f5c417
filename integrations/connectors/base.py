"""What a connector is: bytes in, refusals out; corrections checked; probe and submit over HTTP.

A new connector touches no other room. `parse`, `read`, `correct` and `check` are pure; only a client talks to
the other system. A client never raises for what the network or the target does: it returns what it knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, runtime_checkable

from integrations.connectors.held import Held, ShowsContent
from integrations.records.record import Record
from integrations.refusals import Batch, Refusal, RefusalError, RefusedTransaction


class Operation(TypedDict, total=False):
    """One step of a correction, RFC 6902 in meaning; `path` is an XPath when the payload is XML."""

    op: Literal["test", "replace", "add", "remove"]
    path: str
    value: str


class CorrectionError(Exception):
    """A correction that cannot be applied. `path` names the place, `remedy` what to do."""

    def __init__(self, problem: str, *, path: str = "", remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.remedy = remedy


class TargetKind(StrEnum):
    DEDUPLICATES = "deduplicates"  # by the key that we send
    UPSERTS = "upserts"
    ASKABLE = "askable"  # can only be asked: no automatic resend unless the connection opts in
    NEITHER = "neither"  # always a person


class Ordering(StrEnum):
    ANY = "any"  # documents do not depend on one another
    SAME_OBJECT = "same_object"  # changes of one object, in the order in which they were made


class WaitIn(StrEnum):
    """Where a target that turns a request away says how long to wait."""

    RETRY_AFTER = "Retry-After"  # a header, RFC 9110 §10.2.3
    RATE_LIMIT_RESET = "X-RateLimit-Reset"  # a header, in seconds since 1970
    TEXT = "text"  # “try again in 5 seconds”


@dataclass(frozen=True, slots=True)
class Throttle:
    """One way in which a target says that it takes nothing for now; it has not looked at what it answers so.

    By `status` alone a proxy may have said it, so that the code in the body counts too.
    """

    status: int
    code: str
    wait_in: WaitIn

    @property
    def in_words(self) -> str:
        where = "a text that says when to try again" if self.wait_in is WaitIn.TEXT else self.wait_in.value
        return f"{self.status} {self.code} with {where}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the target promises, declared and not guessed; shown on the connection's page, held by a contract test.

    `key_life` is for people alone. Nothing is sent a second time on the strength of a key: a document is looked up
    first, however old its key, and sent again only when it is not there.
    """

    target_kind: TargetKind
    looked_up_by: str  # in words: "invoice number and seller"
    settle_time: timedelta  # how long a late effect may take to become visible
    key_life: timedelta | None  # how long the target recognises a repeat by its key; None: no end declared
    checks_natively: bool
    check_name: str  # in words: which check a correction passes before it may be proposed
    already_exists: tuple[str, ...]  # the codes by which it says so
    throttles: tuple[Throttle, ...]
    ordering: Ordering = Ordering.ANY
    correction_envelope: str = ""  # in words: what a correction must rename though the document keeps its number
    lists_what_it_has: bool = False  # for the comparison of its own list with what we believe
    shows_content: ShowsContent = ShowsContent.NOTHING  # of a document that it has already, for a person to compare
    bundles: int = 1  # how many approved transactions may travel in one submission

    @property
    def can_be_asked(self) -> bool:
        """Whether it can be looked up there what became of a document."""
        return self.target_kind is not TargetKind.NEITHER


@dataclass(frozen=True, slots=True)
class Words:
    """What people call the other side and what it says; the pages put them into their sentences."""

    target: str  # "the ERP"
    code: str  # what its codes are: "Reason"
    said: str  # "As the bank said it"
    own_code: str  # the same of the check that a correction passes here
    own_said: str
    reference: str  # what it calls the document that it made: "Clearance"
    said_of_a_hold: str = "As it was said"  # often by a screening or a policy, and not by the target


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """An inbox row as the connector sees it."""

    payload: bytes
    payload_media_type: str
    refusal: bytes
    refusal_media_type: str
    refusal_status: int | None = None
    refusal_headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of a check of a payload. `check` names which check it was, `errors` what stands against it."""

    check: str
    errors: tuple[RefusalError, ...]
    warnings: tuple[RefusalError, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.errors


class Presence(StrEnum):
    """What a look-up at the target found."""

    ABSENT = "absent"
    SAME = "same"  # there, with the same content
    DIFFERENT = "different"  # there, with other content: a conflict for a person
    UNANSWERED = "unanswered"
    MISCONFIGURED = "misconfigured"  # the address or the sign-in is wrong: pause the connection


@dataclass(frozen=True, slots=True)
class Observation:
    """What the target said when asked for a document. `reference` is the target's own document reference.

    `detail` says in words why nothing was learned; it is never empty then.
    """

    presence: Presence
    reference: str = ""
    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    detail: str = ""
    retry_after: float | None = None  # seconds


class AnswerKind(StrEnum):
    """What a send came to. Unknown is the default: anything not understood after the first byte."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ALREADY_EXISTS = "already_exists"  # to be looked up: same content or conflict
    PENDING = "pending"  # the target has it and has not decided: never sent again by a machine meanwhile
    NOT_SENT = "not_sent"  # provably: no byte of the request reached the target, or it declares so (429, 503)
    MISCONFIGURED = "misconfigured"  # 401, 403, 404, 3xx: pause the connection, no automatic retry
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the target answered to a submission, with the evidence.

    `turned_away` is for a misconfigured connection: provably, nobody there looked at the document. A mere 404 proves
    nothing, since it may come from anything between us and the target.
    """

    kind: AnswerKind
    reference: str = ""
    refusal: Refusal | None = None
    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    detail: str = ""
    retry_after: float | None = None  # seconds
    turned_away: bool = False

    @property
    def not_sent(self) -> bool:
        """Whether it provably came to nothing, so that it does not count as a send."""
        return self.turned_away or self.kind is AnswerKind.NOT_SENT


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target is and how we sign in there."""

    url: str
    token: str = ""
    timeout: float = 10.0  # seconds, connect and read each


class TargetClient(Protocol):
    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        """Ask whether the target has the document; `content` tells same from different."""

    def submit(
        self,
        *,
        key: str,
        object_type: str,
        business_key: str,
        content: bytes,
        media_type: str,
        despite_warnings: bool = False,
    ) -> Answer:
        """Send once. `key` is the idempotency key, the same for every attempt of one payload version.

        `despite_warnings`: people saw what the target warns of and want it booked; a target that never warns has no
        use for it.
        """


@dataclass(frozen=True, slots=True)
class Listed:
    """One document of the target's own list. `told` is the entry as it came, which is kept as evidence."""

    business_key: str
    reference: str
    booked_at: datetime | None  # where the target says so
    told: Mapping[str, Any]


class CannotList(Exception):
    """The target's list could not be read to its end; the text says why."""


@runtime_checkable
class Listing(Protocol):
    """What a client can do besides, when its target tells what it has booked."""

    def booked_between(self, since: datetime, until: datetime) -> Iterator[Listed]:
        """All that was booked in [since, until), by whomever. Raises CannotList, also between two entries."""

    def booked_under(self, content: bytes) -> Sequence[Listed]:
        """All that the target has under the name of this document, whenever it was booked; raises CannotList."""

    def is_same(self, listed: Listed, content: bytes) -> bool:
        """Whether an entry is this very content; False also for what cannot be read."""


class CannotBundle(ValueError):
    """These contents do not fit into one submission; the text says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One submission that carries several approved contents and nothing else, checked as the target would."""

    reference: str  # what the target knows the submission by, never used before
    body: bytes
    media_type: str
    count: int
    sums: Mapping[str, Decimal]  # by currency, ISO 4217


@dataclass(frozen=True, slots=True)
class BundleAnswer:
    """What came back for a bundle. `whole` is the evidence of the exchange; each of `each` is about one content.

    In the order in which the contents were given; the body of each is its own part of what was answered.
    """

    whole: Answer
    each: tuple[Answer, ...]


class BundlingClient(TargetClient, Protocol):
    def submit_bundle(self, *, key: str, bundle: Bundle, contents: Sequence[bytes]) -> BundleAnswer:
        """Send once; `contents` are those of the bundle, to tell what was answered of each."""


class FieldName(NamedTuple):
    """How a business field is called: its label, its term, and the group in which it stands, without a number."""

    group: str
    label: str
    term: str = ""
    is_amount: bool = False


class Connector(Protocol):
    name: str
    title: str
    object_types: Mapping[str, str]  # kind of transaction → what people call it: "invoice" → "Invoice"
    vocabulary: frozenset[FieldName]  # of every field that the standard or the target knows, of all of these kinds
    capabilities: Capabilities
    words: Words

    def parse(self, message: IncomingMessage) -> list[RefusedTransaction]:
        """Bytes to refused or held transactions; raises MessageNotUnderstood."""

    def batch(self, message: IncomingMessage) -> Batch | None:
        """What became of a batch of which nothing was refused; None for a message about a single transaction."""

    def read(self, payload: bytes) -> Record:
        """The canonical projection of a payload; raises MessageNotUnderstood."""

    def object_type(self, payload: bytes) -> str:
        """Which of `object_types` a payload is; raises MessageNotUnderstood."""

    def business_key(self, payload: bytes) -> str:
        """What the target would call this document; raises MessageNotUnderstood."""

    def operations_for(self, payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
        """Form changes (path → new text, empty removes) as operations with a `test` of the old value first."""

    def operations_between(self, before: bytes, after: bytes) -> list[Operation]:
        """The operations that lead from one payload to another, for a correction made in the raw view."""

    def correct(self, payload: bytes, operations: Sequence[Operation]) -> bytes:
        """Apply all operations or none; raises CorrectionError."""

    def check(self, payload: bytes) -> CheckReport:
        """Judge a payload as the target would, without sending it."""

    def check_finds(self, code: str) -> bool:
        """Whether the check would find again what was refused with this code; the rest only the target can judge."""

    def remedy(self, code: str) -> str:
        """What a person does about a code; empty when what is wrong says it already, or nothing is known."""

    def entries_in(self, answer: bytes) -> Sequence[Mapping[str, Any]]:
        """What an answer of the target names as there, in its order; nothing for what names none. Never raises."""

    def held(self, entry: Mapping[str, Any], *, content: bytes) -> Held:
        """What such an entry, or one of the target's own list, tells of the document that it holds.

        `content` is the payload of ours that it is laid beside; raises MessageNotUnderstood when that is not readable.
        """

    def client(self, endpoint: Endpoint) -> TargetClient: ...


class CannotReverse(ValueError):
    """No reversing entry can be made of this document; the text says why."""


@runtime_checkable
class Reversing(Protocol):
    """What a connector can do besides, when its target takes an entry that takes back what it booked."""

    def reversal(self, payload: bytes, *, reference: str, on: date) -> bytes:
        """The entry that reverses what the target booked of this payload as `reference`, linked to it, dated `on`.

        It has a name of its own, the same for the same reference. Raises CannotReverse.
        """


@runtime_checkable
class Bundling(Protocol):
    """What a connector can do besides, when its target takes several approved contents in one submission."""

    def arrange(self, contents: Sequence[bytes]) -> list[list[int]]:
        """Which of them travel together: positions in `contents`, each in exactly one group. Never raises."""

    def bundle(self, contents: Sequence[bytes], *, name: str) -> Bundle:
        """One submission of exactly these, under a reference that follows from them and `name`; raises CannotBundle."""

    def client(self, endpoint: Endpoint) -> BundlingClient: ...
