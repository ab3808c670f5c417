"""The catalogue of problems that the API reports: stable types after RFC 9457, each documented at its own address."""

from dataclasses import dataclass
from typing import Final

PAGE: Final = "/api/problems/"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One type of problem. `meaning` says when it occurs, `remedy` what a client does about it."""

    slug: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def type(self) -> str:
        """A relative reference to the place in the documentation that explains it."""
        return f"{PAGE}#{self.slug}"


MALFORMED = ProblemKind(
    "malformed-request", 400, "The request cannot be read",
    "The body is not JSON that is accepted here: a syntax error, NaN or Infinity, a key that occurs twice, nesting "
    "beyond the limit, a NUL, half of a surrogate pair, or bytes that are not UTF-8.",
    "Correct the body at the place that the pointer names and send it again. Nothing was stored.",
)  # fmt: skip
INVALID_PARAMETER = ProblemKind(
    "invalid-parameter", 400, "A parameter or header cannot be used",
    "A query parameter is unknown or has an unusable value, or a header is malformed.",
    "Correct the parameter that is named. Parameters that are not known are refused, so that a misspelt filter "
    "cannot pass for an empty one.",
)  # fmt: skip
UNAUTHENTICATED = ProblemKind(
    "unauthenticated", 401, "Sign in first",
    "No credentials were sent, or the token is unknown, expired or withdrawn.",
    "Send Authorization: Bearer with a valid token, or sign in with a browser.",
)  # fmt: skip
NOT_PERMITTED = ProblemKind(
    "not-permitted", 403, "You may not do this",
    "The account lacks the right, contributed to what it would decide on, or a session sent no CSRF token.",
    "Read the detail: it names what is missing and who can grant it.",
)  # fmt: skip
OUT_OF_SCOPE = ProblemKind(
    "insufficient-scope", 403, "The token may not be used for this",
    "The token has scopes, and none of them holds this request, whether what it is about is there or not. Approving, "
    "revealing and whatever gives access is in no scope: it takes a person.",
    "Use a token with the scope that the detail and the header WWW-Authenticate name, or have a person do it.",
)  # fmt: skip
FRESH_PROOF_NEEDED = ProblemKind(
    "fresh-proof-needed", 403, "Prove again who you are",
    "The decision is about more money than the limit of this installation, or about an amount that is unknown or has "
    "no rate; or, in a review of access, about the rights of several people, of a role or of an administrator. The "
    "session's last proof is older than five minutes, or a token was sent. Nothing was done.",
    "With a session, prove who you are at /accounts/prove/ and send the same again. With a token it takes a person.",
)  # fmt: skip
NOT_FOUND = ProblemKind(
    "not-found", 404, "Not found",
    "There is nothing at this address, or it is in a queue or legal entity that is not granted to the account. "
    "The two are not told apart.",
    "Check the reference, or ask an administrator for access.",
)  # fmt: skip
ERASED = ProblemKind(
    "erased", 410, "The content was erased",
    "A policy of retention let it go. What it was is told by its SHA-256, and who did what by the audit trail.",
    "Read the detail: it says when it was erased, and under which policy.",
)  # fmt: skip
UNKNOWN_CONNECTION = ProblemKind(
    "unknown-connection", 404, "No such connection",
    "No connection has this name, or the account may not hand in messages for it. The two are not told apart.",
    "Use the name of a connection that GET /api/v1/connections lists with the verb ingest_messages.",
)  # fmt: skip
METHOD_NOT_ALLOWED = ProblemKind(
    "method-not-allowed", 405, "This address does not answer that method",
    "The address exists, the method does not.",
    "Use one of the methods in the Allow header.",
)  # fmt: skip
NOT_ACCEPTABLE = ProblemKind(
    "not-acceptable", 406, "No acceptable representation",
    "The Accept header leaves out everything that this address can answer with.",
    "Accept application/json.",
)  # fmt: skip
NOT_POSSIBLE_NOW = ProblemKind(
    "not-possible-now", 409, "Not possible in this state",
    "The exception's state or kind does not allow the action.",
    "Read the exception again; its actions say what is possible and why the rest is not.",
)  # fmt: skip
CHANGED_MEANWHILE = ProblemKind(
    "changed-meanwhile", 409, "Someone changed it meanwhile",
    "The exception moved on since it was read. The current revision is part of the problem.",
    "Read the exception again, decide anew, and send the request for the current version.",
)  # fmt: skip
APPROVAL_NO_LONGER_HOLDS = ProblemKind(
    "approval-no-longer-holds", 409, "What is proposed is not what was shown",
    "The frozen hash is not that of the open proposal: the content, the target or the policy changed, or somebody "
    "decided first.",
    "Read the exception again and decide on the proposal that is open now.",
)  # fmt: skip
ALREADY_UNDER_WAY = ProblemKind(
    "already-under-way", 409, "It is being delivered already",
    "The same document is on its way to the target, or was delivered with this very content.",
    "Wait for the delivery that is under way; the exception shows it.",
)  # fmt: skip
IDENTIFIER_REUSED = ProblemKind(
    "identifier-reused", 409, "This identifier came before with other content",
    "A message with this identifier was handed in before with other content. Both are kept; the newcomer is an "
    "intake failure that a person sees.",
    "Give each message its own identifier. Send a correction by the source under a new one.",
)  # fmt: skip
REQUEST_IN_FLIGHT = ProblemKind(
    "request-in-flight", 409, "The first request with this key is still running",
    "Another request with the same Idempotency-Key has not finished.",
    "Wait a moment and send the same request again; it will receive the first one's answer.",
)  # fmt: skip
LENGTH_REQUIRED = ProblemKind(
    "length-required", 411, "Content-Length is missing",
    "The body was sent in chunks, without its length.",
    "Send the Content-Length header.",
)  # fmt: skip
PRECONDITION_FAILED = ProblemKind(
    "precondition-failed", 412, "It is no longer at that revision",
    "The If-Match header names another revision than the current one.",
    "Read the exception again and use its ETag.",
)  # fmt: skip
TOO_LARGE = ProblemKind(
    "too-large", 413, "Too large",
    "The request as a whole, or the payload of one message, is larger than accepted.",
    "Split the request, or have an administrator raise the connection's limit.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE = ProblemKind(
    "unsupported-media-type", 415, "Unsupported content type",
    "The body is not declared as JSON in UTF-8.",
    "Send Content-Type: application/json.",
)  # fmt: skip
INVALID_CONTENT = ProblemKind(
    "invalid-content", 422, "The content cannot be used",
    "The JSON is well formed, but a field is missing, unknown, or has a value that cannot be used.",
    "Correct the fields that the pointers name.",
)  # fmt: skip
NOT_APPLICABLE = ProblemKind(
    "correction-not-applicable", 422, "The correction cannot be applied",
    "A step of the correction does not fit the document: the path leads nowhere, or a test found another value.",
    "Read the latest version and build the correction from it. None of its steps was applied.",
)  # fmt: skip
CHECK_FAILED = ProblemKind(
    "check-failed", 422, "The check does not pass",
    "The latest version does not pass the check that the target would apply, so it cannot be proposed.",
    "Correct what the errors name, then propose again.",
)  # fmt: skip
NOT_TRANSLATED = ProblemKind(
    "not-translated", 422, "The field maps do not translate it",
    "The field maps in use make no new version of what the source handed over; the errors name their faults.",
    "Mend the field map and put the new version to use, then translate again.",
)  # fmt: skip
KEY_REUSED = ProblemKind(
    "key-reused", 422, "This key was used for another request",
    "The Idempotency-Key belongs to a request with another address or body.",
    "Use a new key for a new request, and the same key only to repeat one.",
)  # fmt: skip
PRECONDITION_REQUIRED = ProblemKind(
    "precondition-required", 428, "Say which revision was seen",
    "The change names no revision: If-Match is missing where this installation requires it, or if_match is missing "
    "from an item of a bulk request.",
    "Read the exception and send its ETag, or * for whatever revision it is at.",
)  # fmt: skip
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests", 429, "Too many requests",
    "The account sent more requests than it may in this time.",
    "Wait as long as Retry-After says.",
)  # fmt: skip
QUOTA_REACHED = ProblemKind(
    "quota-reached", 429, "No room for more messages",
    "So many messages of the connection wait to be read, or came in this minute, as it takes. Nothing of the message "
    "was kept. A message that is here already is answered as ever.",
    "Keep it and send the same again when Retry-After says so; retry_after has the same in seconds. RateLimit-Policy "
    "names the limits.",
)  # fmt: skip
OVERLOADED = ProblemKind(
    "overloaded", 503, "Too much waits to be read",
    "So many messages of all connections together wait to be read that no more are taken. Nothing of the message was "
    "kept.",
    "Keep it and send the same again when Retry-After says so. Somebody who runs the workbench looks after it.",
)  # fmt: skip
BAD_SIGNATURE = ProblemKind(
    "bad-signature", 401, "The webhook is not signed as agreed",
    "A header of the signature is missing or malformed, the time is more than five minutes from now, no signature fits "
    "the body, or there is no such connection. The last two are not told apart.",
    "Sign each attempt anew after Standard Webhooks, over the bytes that are sent, with the secret of the connection.",
)  # fmt: skip
SERVER_ERROR = ProblemKind(
    "server-error", 500, "Something went wrong here",
    "The fault is on this side. Nothing of the request was kept.",
    "Send the request again later, with the same Idempotency-Key. Give the trace_id to support if it stays.",
)  # fmt: skip
UNAVAILABLE = ProblemKind(
    "unavailable", 503, "Not available at this moment",
    "The database on this side does not answer, or broke off in the middle. Whether the request was kept is not known.",
    "Wait as long as Retry-After says and send the same again: a message with the same id, an action with the same "
    "Idempotency-Key. What was kept is recognised then.",
)  # fmt: skip
STORAGE_FULL = ProblemKind(
    "storage-full", 507, "There is no room left to keep it",
    "A disk on this side is full. Nothing of the request was kept.",
    "Keep it, and send it again when Retry-After says so. Somebody who runs the workbench has to make room.",
)  # fmt: skip
REFUSED = ProblemKind(
    "refused", 400, "The request was refused",
    "The request was refused before it reached its address, for instance because of its Host header.",
    "Read the detail.",
)  # fmt: skip

KINDS: Final[tuple[ProblemKind, ...]] = (
    MALFORMED, INVALID_PARAMETER, REFUSED, UNAUTHENTICATED, NOT_PERMITTED, OUT_OF_SCOPE, FRESH_PROOF_NEEDED, NOT_FOUND,
    ERASED, UNKNOWN_CONNECTION, METHOD_NOT_ALLOWED, NOT_ACCEPTABLE, NOT_POSSIBLE_NOW, CHANGED_MEANWHILE,
    APPROVAL_NO_LONGER_HOLDS,
    ALREADY_UNDER_WAY, IDENTIFIER_REUSED, REQUEST_IN_FLIGHT, LENGTH_REQUIRED, PRECONDITION_FAILED, TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE, INVALID_CONTENT, NOT_APPLICABLE, CHECK_FAILED, NOT_TRANSLATED, KEY_REUSED,
    PRECONDITION_REQUIRED, TOO_MANY_REQUESTS, BAD_SIGNATURE, QUOTA_REACHED, OVERLOADED,
    SERVER_ERROR, UNAVAILABLE, STORAGE_FULL,
)  # fmt: skip
