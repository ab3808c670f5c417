"""Django's sessions in the database, with whose each is, since when, and from where: so that they can be listed.

The row is read with every request anyway, so knowing when it was last seen costs no question of its own.
What is stored of a session's key is a hash, so a copy of the database opens nothing.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils.timezone import now

OPENED_AT = "opened_at"
FROM = "from"  # {"address", "browser"}
_STORED_CHARACTERS = 40


def stored_key(session_key: str) -> str:
    """What stands in the column `session_key` for a key. A plain hash is enough, since a key is random and long."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:_STORED_CHARACTERS]


class SessionStore(DatabaseStore):
    last_seen_at: datetime | None = None
    """Of a person's session, as the row said when this was loaded."""

    @classmethod
    def get_model_class(cls) -> Any:
        from workbench.models import Session  # noqa: PLC0415 - the engine is imported before models are

        return Session

    def load(self) -> dict[str, Any]:
        row: Any = self._row_of(self.session_key).filter(expire_date__gt=now()).first()
        if row is None:
            self._session_key = None
            return {}
        self.last_seen_at = row.seen_at if row.user_id is not None else None
        content: dict[str, Any] = self.decode(row.session_data)
        return content

    def exists(self, session_key: str) -> bool:
        return bool(self._row_of(session_key).exists())

    def delete(self, session_key: str | None = None) -> None:
        self._row_of(session_key or self.session_key).delete()

    def _row_of(self, session_key: str | None) -> Any:
        """At most one."""
        rows = self.get_model_class().objects
        return rows.filter(session_key=stored_key(session_key)) if session_key else rows.none()

    def get_expiry_age(self, **asked: Any) -> int:
        """Seconds that are left since it was opened: what is done with it makes no session of a person longer."""
        opened_at = self.get(OPENED_AT)
        if opened_at is None:
            return super().get_expiry_age(**asked)
        return max(0, int(opened_at + settings.SESSION_COOKIE_AGE - now().timestamp()))

    def get_expiry_date(self, **asked: Any) -> datetime:
        return now() + timedelta(seconds=self.get_expiry_age(**asked))

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        at = now()
        if SESSION_KEY in data:
            data.setdefault(OPENED_AT, at.timestamp())
        row: Any = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        if SESSION_KEY in data:
            known = data.get(FROM, {})
            row.user_id = int(data[SESSION_KEY])
            row.opened_at = datetime.fromtimestamp(data[OPENED_AT], at.tzinfo)
            row.seen_at = at
            row.address, row.browser = known.get("address", ""), known.get("browser", "")
        return row
