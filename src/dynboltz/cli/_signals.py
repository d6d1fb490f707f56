"""Ctrl-C and SIGTERM: a command ends soon, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time

INTERRUPTED, TERMINATED = 130, 143
MESSAGE = "Interrupted. What is complete is kept; run the same command again to go on."
PATIENCE = 5.0
"""Seconds for an interrupted command to end by itself."""

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class Termination(KeyboardInterrupt):
    """The process was asked to end, such as by a batch system at its time limit."""


def end_on_signals() -> None:
    """Raise `KeyboardInterrupt` at SIGINT, `Termination` at SIGTERM, and see that they end it.

    Python raises only between two of its own instructions, and drops what is raised in a callback.
    A thread therefore ends the process if it is still there `PATIENCE` seconds later; results on
    the disk stand any end.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_late, args=(receiver,), daemon=True).start()


def end_now(code: int) -> None:
    """End the process without waiting for threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _terminate(*_: object) -> None:
    raise Termination


def _end_late(receiver: socket.socket) -> None:
    while (number := receiver.recv(1)[0]) not in _CODES:
        pass
    time.sleep(PATIENCE)
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(_CODES[signal.Signals(number)])
