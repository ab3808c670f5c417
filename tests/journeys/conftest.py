from tests.cast import cast, signed_in
from tests.journeys.people import open_browser

__all__ = ["cast", "open_browser", "signed_in"]
