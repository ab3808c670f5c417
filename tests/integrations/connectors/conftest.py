from tests.integrations.connectors.erp.conftest import allow_loopback
from tests.simulator_process import simulator, simulator_process

__all__ = ["allow_loopback", "simulator", "simulator_process"]
