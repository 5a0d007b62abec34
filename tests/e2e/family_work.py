# SPDX-License-Identifier: Apache-2.0
"""What the workloads of test_families.py do, as scripts: in Python, but for MOVES. Each says "there" when it is where it wants
to be."""

MEMORY = """
import mmap, os, sys
def fill(size):
    memory = mmap.mmap(-1, size)
    for at in range(0, size, 1 << 20):
        memory[at:at + (1 << 20)] = os.urandom(1 << 20)
    return memory
def read(fd):
    os.lseek(fd, 0, 0)
    while os.read(fd, 1 << 20):
        pass
fd = os.open(sys.argv[1] + "/big", os.O_CREAT | os.O_RDWR)
for _ in range(24):
    os.write(fd, os.urandom(1 << 20))
os.fsync(fd)
held = fill(40 << 20)       # more than fits beside the rest: swapped in part
for _ in range(2):
    read(fd)                # pushed out since, and again by held
    sum(held[::4096])
held.madvise(mmap.MADV_REMOVE, 0, 8 << 20)  # room, so that what follows stays
mapped = mmap.mmap(fd, 2 << 20)
for _ in range(2):
    sum(mapped[::4096])
os.write(os.open(sys.argv[1] + "/fresh", os.O_CREAT | os.O_WRONLY), os.urandom(2 << 20))   # not synced, not used again
print("there", flush=True)
sys.stdin.read()
while True:
    import time; time.sleep(1000)
"""

DESCRIPTORS = """
import os, socket, time
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(23)] + [socket.socket() for _ in range(7)]
print("there", flush=True)
time.sleep(1000)
"""

TUNNEL = """
import fcntl, os, socket, struct, subprocess, time
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"odd2", 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
for order in ("link set odd2 txqueuelen 2", "addr add 10.237.0.1/24 dev odd2", "link set odd2 up"):
    subprocess.run(["ip", *order.split()], check=True)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(700):            # nobody reads
    sender.sendto(bytes(100), ("10.237.0.2", 9))
for _ in range(7):
    try:
        os.write(tun, bytes(100))   # of no version of IP
    except OSError:
        pass
print("there", flush=True)
time.sleep(1000)
"""

# A VXLAN packet that says on its way that it met congestion, around an IP packet that does not know of it.
CONGESTED = """
import socket, struct, sys
inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes([10, 235, 0, 2]), bytes([10, 235, 0, 1])) + bytes(8)
frame = b"\\xff" * 6 + b"\\x02\\x00\\x00\\x00\\x00\\x07" + b"\\x08\\x00" + inner
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)
for _ in range(5):
    sender.sendto(struct.pack(">II", 0x08000000, 1 << 8) + frame, (sys.argv[1], 4789))
"""

MOVES = """
cpus=$(nproc)
for i in 1 2 3 4 5 6 7; do taskset -pc $((i % cpus)) $$ >/dev/null; done
"""

CALLS = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
for _ in range(23):
    os.write(fd, bytes(1009))
_, writing = os.pipe()
reading, _ = os.pipe()
os.set_blocking(reading, False)
for _ in range(7):
    try:
        os.read(writing, 1)     # EBADF is no file's error; EAGAIN is one of a pipe's
    except OSError:
        pass
    try:
        os.read(reading, 1)
    except OSError:
        pass
print("there", flush=True)
"""

SERVE = """
import socket, sys, time
full = socket.create_server((sys.argv[1], 7002), backlog=0)
listener = socket.create_server((sys.argv[1], 7001))
for _ in range(13):
    connection, _ = listener.accept()
    while received := connection.recv(65536):
        time.sleep(0.05)
        connection.send(received)
    connection.close()
time.sleep(1000)
"""

ASK = """
import socket, sys
sys.stdout.reconfigure(line_buffering=True)
for number in range(13):
    connection = socket.create_connection((sys.argv[1], 7001))
    connection.sendall(bytes(1009))
    received = 0
    while received < 1009:
        received += len(connection.recv(65536))
    connection.close()
for _ in range(5):
    try:
        socket.create_connection((sys.argv[1], 7009))
    except ConnectionRefusedError:
        print("refused")
crowd = []
for _ in range(7):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((sys.argv[1], 7002))
    crowd.append(one)
import time
time.sleep(1.5)
"""
