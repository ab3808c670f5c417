from tests.simulator_process import simulator, simulator_process

__all__ = ["simulator", "simulator_process"]
