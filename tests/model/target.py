"""A target of each kind in memory, that does with a request what the weather says; it is its own honest book."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from integrations.connectors.base import Answer, AnswerKind, Observation, Presence, TargetKind

SETTLE_TIME = timedelta(seconds=60)  # what the target promises


class Weather(StrEnum):
    """What befalls one request."""

    FINE = "fine"
    LOST_ON_THE_WAY = "lost on the way"  # the target never sees it, and we do not know that
    ANSWER_LOST = "answer lost"  # carried out, and nothing is heard
    LATE = "late"  # nothing is heard, and it is booked within the settle time
    REFUSED = "refused"
    THROTTLED = "throttled"  # provably not looked at
    MISCONFIGURED = "misconfigured"
    TAKEN = "taken"  # it has it and has not decided; it may book it within the settle time


UNHEARD = frozenset({Weather.LOST_ON_THE_WAY, Weather.ANSWER_LOST, Weather.LATE})


@dataclass(frozen=True, slots=True)
class Effect:
    name: str
    content: bytes
    key: str
    at: datetime


@dataclass(slots=True)
class Target:
    """`refuses_names` that it has; so a document that is there already is told of, and not booked again."""

    kind: TargetKind
    refuses_names: bool
    now: datetime
    weather: Weather = Weather.FINE
    effects: list[Effect] = field(default_factory=list)
    _to_come: list[Effect] = field(default_factory=list)
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)  # key, name, content

    def tick(self, now: datetime) -> None:
        self.now = now
        due = [effect for effect in self._to_come if effect.at <= now]
        self._to_come = [effect for effect in self._to_come if effect.at > now]
        for effect in due:
            self._book(effect)

    def probe(self, *, object_type: str, business_key: str, content: bytes) -> Observation:
        weather = self._take_weather()
        if weather in UNHEARD or self.kind is TargetKind.NEITHER:
            return Observation(Presence.UNANSWERED, detail="Nothing was heard.")
        if weather is Weather.THROTTLED:
            return Observation(Presence.UNANSWERED, detail="Later.", retry_after=5)
        if weather is Weather.MISCONFIGURED:
            return Observation(Presence.MISCONFIGURED, detail="The token is wrong.")
        found = [effect for effect in self.effects if effect.name == business_key]
        if not found:
            return Observation(Presence.ABSENT)
        same = any(effect.content == content for effect in found)
        return Observation(Presence.SAME if same else Presence.DIFFERENT, reference=business_key)

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
        weather = self._take_weather()
        if weather is Weather.LOST_ON_THE_WAY:
            return Answer(AnswerKind.UNKNOWN, detail="Nothing was heard.")
        self.requests.append((key, business_key, content))
        if weather is Weather.THROTTLED:
            return Answer(AnswerKind.NOT_SENT, detail="Later.", retry_after=5)
        if weather is Weather.MISCONFIGURED:
            return Answer(AnswerKind.MISCONFIGURED, detail="The token is wrong.", turned_away=True)
        if weather is Weather.REFUSED:
            return Answer(AnswerKind.REFUSED, detail="No.")
        effect = Effect(business_key, content, key, self.now)
        if weather in (Weather.LATE, Weather.TAKEN):
            self._to_come.append(Effect(business_key, content, key, self.now + SETTLE_TIME / 2))
            kind = AnswerKind.UNKNOWN if weather is Weather.LATE else AnswerKind.PENDING
            return Answer(kind, detail="Nothing was decided.")
        known = self._has(effect)
        self._book(effect)
        if weather is Weather.ANSWER_LOST:
            return Answer(AnswerKind.UNKNOWN, detail="Nothing was heard.")
        if known and self.kind is not TargetKind.DEDUPLICATES:
            return Answer(AnswerKind.ALREADY_EXISTS, reference=business_key, detail="It is there already.")
        return Answer(AnswerKind.CONFIRMED, reference=business_key)

    def _has(self, effect: Effect) -> bool:
        """Whether it knows that it has this already."""
        if self.refuses_names and any(known.name == effect.name for known in self.effects):
            return True
        if self.kind is TargetKind.DEDUPLICATES:
            return any(known.key == effect.key for known in self.effects)
        return False

    def _book(self, effect: Effect) -> None:
        if self._has(effect):
            return
        if self.kind is TargetKind.UPSERTS:
            self.effects = [known for known in self.effects if known.name != effect.name]
        self.effects.append(effect)

    def _take_weather(self) -> Weather:
        """For one request; then it is fine again."""
        weather, self.weather = self.weather, Weather.FINE
        return weather
