"""A worker before a device of SIMULATED_ROWS_PER_S rows a second; its model runs in the warm-up alone."""

import os
import sys

from benchmarks.simulated_device import SimulatedDevice
from worker.app import run
from worker.logs import configure_logging
from worker.settings import load_settings

VARIABLE = "SIMULATED_ROWS_PER_S"

if __name__ == "__main__":
    settings = load_settings(sys.argv[1:])
    configure_logging(settings.log_level, settings.log_format)
    device = SimulatedDevice(float(os.environ[VARIABLE]))
    run(settings, wrap=lambda _: device)
