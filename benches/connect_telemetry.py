"""A printer on the official SDK of Prusa Connect that prints and tells so once a second: a peer for the benchmarks.

connect_telemetry.py URL SERIAL TOKEN
"""

import sys
import threading
import time

from prusa.connect.printer import Printer, const
from prusa.connect.printer.util import make_fingerprint


def main(url, serial, token):
    printer = Printer(const.PrinterType.HT90, serial, make_fingerprint(serial))
    printer.firmware = "1.0.0"
    printer.set_connection(url, token)
    threading.Thread(target=printer.loop, daemon=True).start()
    printer.event_cb(**printer.get_info())
    printer.job_id = 42
    printer.set_state(const.State.PRINTING, const.Source.USER)
    begun = due = time.monotonic()
    while True:
        seconds = int(time.monotonic() - begun)
        printer.telemetry(temp_nozzle=210.1, target_nozzle=210.0, temp_bed=60.2, target_bed=60.0, axis_z=1.2, speed=100,
                          flow=100, fan_print=4000, fan_hotend=5000, filament=2.5 * seconds, progress=min(99, seconds),
                          time_printing=seconds, time_remaining=max(0, 1000 - seconds), material="PLA")
        due += 1
        time.sleep(max(0.0, due - time.monotonic()))


main(*sys.argv[1:])
