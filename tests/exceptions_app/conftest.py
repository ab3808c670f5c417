from tests.cast import cast, signed_in

__all__ = ["cast", "signed_in"]
