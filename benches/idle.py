"""Opens connections, asks once on each, and tells what a process's memory grew by for each: for benches/idle.sh.

    python3 benches/idle.py PID PORT CONNECTIONS
"""

import socket
import sys
import time

pid, port, count = (int(word) for word in sys.argv[1:])


def resident():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024


def ask(connection):
    connection.sendall(b"GET /version HTTP/1.1\r\nhost: a\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65536)
        if not part:
            sys.exit("idle.py: a connection ended")
        answer += part


def connect():
    return socket.create_connection(("127.0.0.1", port), timeout=60)


# What the first requests need once is no connection's.
for _ in range(200):
    with connect() as warm:
        ask(warm)
time.sleep(3)
before = resident()
silent = [connect() for _ in range(count // 2)]
time.sleep(2)
opened = resident()
asked = [connect() for _ in range(count - len(silent))]
for connection in asked:
    ask(connection)
busy = resident()
time.sleep(4)
rested = resident()
for connection in asked:
    ask(connection)
time.sleep(4)
again = resident()
print(f"{count} connections, half of which have asked\n\n| | bytes each |\n|---|---|")
print(f"| opened, nothing asked yet | {(opened - before) // len(silent)} |")
print(f"| at most, while they ask one after the other | {(busy - opened) // len(asked)} |")
print(f"| asked, and at rest | {(rested - opened) // len(asked)} |")
print(f"| asked again, and at rest | {(again - opened) // len(asked)} |")
