#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a little of everything in an endless round: busy.py DIRECTORY. The container that tests of faults look at."""

import mmap
import os
import socket
import sys
import threading
import time

directory = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
left, right = socket.socketpair()
reading, writing = os.pipe()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))


def serve():
    while True:
        connection, _ = listener.accept()
        with connection:
            question = connection.recv(100)
            time.sleep(0.002)  # so that the client waits, however the two take turns
            connection.sendall(question)


def answer(event):
    while True:
        event.wait(0.005)


with open(directory + "/kept", "wb") as kept:
    kept.write(bytes(1 << 20))  # stays in the page cache
threading.Thread(target=serve, daemon=True).start()
threading.Thread(target=answer, args=(threading.Event(),), daemon=True).start()
rounds = os.open(directory + "/rounds", os.O_RDWR | os.O_CREAT)
count = 0
while True:
    with open(directory + "/file", "wb+", buffering=0) as file:
        file.write(os.urandom(8192))
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), 4096) as area:
            area[0] = 1
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"question")
        client.recv(100)
    datagrams.sendto(b"datagram", datagrams.getsockname())
    datagrams.recv(100)
    left.sendall(b"x")
    right.recv(1)
    os.write(writing, b"x")
    os.read(reading, 1)
    child = os.fork()
    if child == 0:
        os.execv("/bin/true", ["true"])
    os.waitpid(child, 0)
    end = time.monotonic() + 0.002
    while time.monotonic() < end:
        pass
    count += 1
    os.pwrite(rounds, b"%d" % count, 0)
    time.sleep(0.01)
