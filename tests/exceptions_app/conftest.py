from tests.cast import cast, signed_in
from tests.exceptions_app.delivering import connected

__all__ = ["cast", "connected", "signed_in"]
