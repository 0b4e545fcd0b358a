"""A printer on the official SDK of Prusa Connect, as an application uses it: registers, tells, and obeys.

connect_sdk.py URL SERIAL FOLDER
"""

import logging
import os
import re
import sys
import threading
import time

from prusa.connect.printer import Printer, const
from prusa.connect.printer.util import make_fingerprint

SOURCE = const.Source
# Refusals and lost connections are part of the test.
logging.disable()


class Machine:
    """What the printer does: nothing but to remember what it was told."""

    def __init__(self, printer):
        self.printer = printer
        self.target = 0.0
        handlers = {
            const.Command.START_PRINT: self.start_print,
            const.Command.PAUSE_PRINT: self.turn(const.State.PAUSED),
            const.Command.RESUME_PRINT: self.turn(const.State.PRINTING),
            const.Command.STOP_PRINT: self.turn(const.State.STOPPED),
            const.Command.SEND_JOB_INFO: self.job_info,
            const.Command.GCODE: self.gcode,
        }
        for command, handler in handlers.items():
            printer.set_handler(command, handler)

    def start_print(self, caller):
        path = caller.kwargs["path"]
        if self.printer.fs.get(path) is None:
            raise ValueError(f"There is no {path}")
        self.path, self.printer.job_id = path, 42
        self.printer.set_state(const.State.PRINTING, SOURCE.CONNECT, command_id=caller.command_id)
        return {"source": SOURCE.CONNECT}

    def turn(self, state):
        def handler(caller):
            self.printer.set_state(state, SOURCE.CONNECT, command_id=caller.command_id)
            return {"source": SOURCE.CONNECT}
        return handler

    def job_info(self, _caller):
        return {"source": SOURCE.CONNECT, "event": const.Event.JOB_INFO, "path": self.path, "progress": 12}

    def gcode(self, caller):
        self.target = float(re.fullmatch(r"M104 S(\d+)\n?", caller.kwargs["gcode"])[1])
        return {"source": SOURCE.CONNECT}

    def telemetry(self):
        values = {"temp_nozzle": 24.5, "target_nozzle": self.target, "temp_bed": 23.0, "target_bed": 0.0,
                  "speed": 100, "flow": 100, "material": "PLA", "fan_print": None}
        if self.printer.state == const.State.PRINTING:
            values.update(progress=12, time_printing=60, time_remaining=440, filament=1500.5, axis_z=1.2)
        self.printer.telemetry(**values)


def forever(step):
    def run():
        while True:
            step()
    threading.Thread(target=run, daemon=True).start()


def main(url, serial, folder):
    printer = Printer(const.PrinterType.HT90, serial, make_fingerprint(serial))
    printer.firmware = "1.0.0"
    printer.set_connection(url, None)
    registered = threading.Event()
    printer.register_handler = lambda token: registered.set()
    machine = Machine(printer)
    printer.register()
    threading.Thread(target=printer.loop, daemon=True).start()
    registered.wait()
    printer.event_cb(**printer.get_info())
    printer.set_state(const.State.IDLE, SOURCE.FIRMWARE)
    printer.attach(folder, "local")
    forever(printer.inotify_handler)
    threading.Thread(target=printer.download_mgr.loop, daemon=True).start()
    # One thread for both, so that no telemetry shows a state before it is told.
    while os.getppid() != 1:
        machine.telemetry()
        due = time.monotonic() + 1
        while (left := due - time.monotonic()) > 0:
            if printer.command.new_cmd_evt.wait(left):
                printer.command()


main(*sys.argv[1:])
