from tests.cast import cast, signed_in
from tests.journeys.people import open_browser
from tests.simulator_process import simulator, simulator_process

__all__ = ["cast", "open_browser", "signed_in", "simulator", "simulator_process"]
