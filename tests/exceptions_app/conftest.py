from tests.cast import cast, signed_in
from tests.exceptions_app.delivering import connected
from tests.simulator_process import simulator, simulator_process

__all__ = ["cast", "connected", "signed_in", "simulator", "simulator_process"]
