"""Hands a command line to the warm worker (worker.py beside it); imports as little as it can."""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

DIED = 70
DECLINED = 75  # no command ends with this status


def address(name: str) -> str:
    """The address of the worker called `name`: no file, and free once the worker has ended."""
    return f"\0{name}"


def is_own(connection: socket.socket) -> bool:
    """Whether the other end belongs to this user: other users may see and take a worker's name."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
    return int.from_bytes(credentials[4:8], sys.byteorder) == os.getuid()


def submit(name: str, arguments: list[str]) -> int | None:
    """The exit status of a command line run by the worker called `name`.

    The job gets this process's files, folder and environment, and the signals sent to it. None if
    there is no worker or it declines: then the command has to run in this process.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address(name))
    except OSError:
        return None
    if not is_own(connection):
        return None
    request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    try:
        socket.send_fds(connection, [len(request).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(request)
    except ConnectionError:
        return None

    received = []

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        with suppress(OSError):  # the job may just have ended
            connection.send(bytes([number]))

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = connection.recv(1)
    except ConnectionResetError:
        status = b""
    if status == bytes([DECLINED]):
        for number, handler in before.items():
            signal.signal(number, handler)
        for passed in received:
            os.kill(os.getpid(), passed)
        return None
    if not status:
        print("gmgan: error: the job's process died (killed or out of memory?)", file=sys.stderr)
        return DIED
    return status[0]
