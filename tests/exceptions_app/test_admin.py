"""Forms of the administration: what is refused stands at its field."""

from exceptions_app.admin import ConnectionForm
from tests.arrivals import configure
from tests.cast import Cast


def filled(**more: str) -> ConnectionForm:
    given = {
        "slug": "bank", "name": "Bank", "connector": "en16931", "max_bytes": "5000000", "timeout_seconds": "10",
        "because": "A new source.",
    }  # fmt: skip
    return ConnectionForm(given | more)


def test_folder_of_another_connection_is_refused_at_its_field(cast: Cast):
    configure(cast.connection, watched_folder="nl/einvoices")
    form = filled(watched_folder="./nl/einvoices/")
    assert form.errors == {"watched_folder": ["Another connection watches this folder; name one of its own."]}


def test_folder_is_kept_in_one_spelling(cast: Cast):
    form = filled(watched_folder=" ./nl//einvoices/ ")
    assert form.errors == {}
    assert form.instance.watched_folder == "nl/einvoices"


def test_own_folder_may_stay(cast: Cast):
    connection = configure(cast.connection, watched_folder="nl/einvoices")
    connection.full_clean()
    assert connection.watched_folder == "nl/einvoices"
