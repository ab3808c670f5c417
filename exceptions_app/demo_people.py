"""Who can sign in to the demonstration. The passwords protect nothing: invented data on one's own machine."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model


@dataclass(frozen=True, slots=True)
class DemoPerson:
    username: str
    given_name: str
    family_name: str
    role: str  # what they do, in words
    own_queues: tuple[str, ...] = ()  # where they work as clerks by themselves, beside what a role gives
    shares: str = ""  # the role of somebody else, which they have too
    administers: bool = False

    @property
    def password(self) -> str:
        return f"demo-{self.username}-2026"


PEOPLE = (
    DemoPerson("clerk", "Clara", "Jansen", "Clerk: corrects and proposes invoices"),
    DemoPerson(
        "accountant",
        "Arend",
        "Visser",
        "Accountant: the same for journals and master data",
        ("general-ledger", "receivables", "master-data"),
    ),
    DemoPerson("treasurer", "Tessa", "Brandt", "Treasury clerk: the same for payments", ("treasury",)),
    DemoPerson("controller", "Conrad", "Weiss", "Controller: approves or rejects"),
    DemoPerson("director", "Dirk", "Hansen", "Second controller: where a rule asks for two", shares="controller"),
    DemoPerson("support", "Samira", "Okoye", "Support: looks things up"),
    DemoPerson("auditor", "Aude", "Martin", "Auditor: reads and exports the history"),
    DemoPerson("administrator", "Ada", "Lind", "Administrator: configures, sees no payload", administers=True),
    DemoPerson("deputy", "Dana", "Moreau", "Second administrator: where it takes two", administers=True),
    DemoPerson("standby", "Stan", "Novak", "Stand-in: takes a role for an hour when nobody can be reached"),
)


def demonstration_accounts() -> list[DemoPerson]:
    """Those whose passwords the sign-in page may show: none but on a developer's machine with the demonstration."""
    if settings.PROFILE != "development" or not settings.SIMULATOR_URL:
        return []
    usernames = [person.username for person in PEOPLE]
    there = get_user_model()._default_manager.filter(username__in=usernames, is_active=True)
    known = set(there.values_list("username", flat=True))
    return [person for person in PEOPLE if person.username in known]
