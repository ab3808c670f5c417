from tests.cast import cast, signed_in
from tests.simulator_process import simulator, simulator_process

__all__ = ["cast", "signed_in", "simulator", "simulator_process"]
