"""Hands a command line to the warm worker (worker.py beside it); imports as little as it can."""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

DIED = 70


def submit(path, arguments):
    """The exit status of a command line run by the worker at `path`; None if there is none.

    The job gets this process's files, folder and environment, and the signals sent to it.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        return None
    request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(connection, [len(request).to_bytes(8, "big")], [0, 1, 2])

    def pass_on(number, _):
        with suppress(OSError):  # the job may just have ended
            connection.send(bytes([number]))

    connection.sendall(request)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    try:
        status = connection.recv(1)
    except ConnectionResetError:
        status = b""
    if not status:
        print("gmgan: error: the job's process died (killed or out of memory?)", file=sys.stderr)
        return DIED
    return status[0]
