#!/usr/bin/env python3
"""Nothing that was acknowledged is lost when the server is killed.

    crash_test.py [--build DIR] [--io uring|epoll|auto] [--seed N] [--seconds S | --rounds N] [--clients N] [--keep]

Clients hold persistent handles with leases and byte-range locks and write with write-through, while the server gets
SIGKILL at random moments and is started again.  After each start every handle must come back within its time-out with
its lease, every acknowledged lock must be there and no other, and every acknowledged write must be in the file.  What
was under way when the server died may have been done or not.  The seed makes the clients' choices and the moments of
the kills the same; what the scheduler does with them it does not.  Exit code 1 on any loss."""
import argparse
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from server import Server                                                # noqa: E402
from smb3_wire import (CAP_PERSISTENT, FAIL_IMMEDIATELY, LEASE_H, LEASE_R, LEASE_W, LOCK_EXCLUSIVE,  # noqa: E402
                       LOCK_NOT_GRANTED, OBJECT_NAME_NOT_FOUND, UNLOCK, Connection, Lost, Refused, durable_v2,
                       lease_state, lease_v2, reconnect_v2)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK, BLOCKS = 512, 64
LOCK_BASE, LOCK_SIZE, LOCK_SLOTS = 1 << 20, 100, 16
RWH = LEASE_R | LEASE_W | LEASE_H
TIMEOUT_MS = 60000


class Loss(Exception):
    pass


class Handle:
    """A persistent handle as the client knows it; `pending` is what was not answered."""

    def __init__(self, source, name):
        self.name = name
        self.create_guid = source.randbytes(16)
        self.lease_key = source.randbytes(16)
        self.file_id = None
        self.blocks = {}            # index -> acknowledged content
        self.locked = set()         # acknowledged slots
        self.pending = None         # ("write", index, content) | ("lock", slot) | ("unlock", slot) | "close"
        self.sequence = 0


class Client:
    def __init__(self, number, seed, server, handles):
        self.number = number
        self.source = random.Random(f"{seed}/{number}")
        self.server = server
        self.guid = self.source.randbytes(16)
        self.wanted = handles
        self.handles = []
        self.made = 0
        self.connection = None
        self.operations = 0
        self.lost_creates = []      # handles whose CREATE was not answered

    def connect(self):
        self.connection = Connection(self.server.port, self.guid, self.server.user, self.server.password, "ca")
        if not self.connection.capabilities & CAP_PERSISTENT or not self.connection.share_capabilities & 0x10:
            raise Loss("no persistent handles are offered")

    # -- the work
    def open_one(self):
        handle = Handle(self.source, f"client{self.number}-{self.made}.dat")
        self.made += 1
        try:
            handle.file_id, found, _ = self.connection.create(
                handle.name, [durable_v2(handle.create_guid, timeout=TIMEOUT_MS), lease_v2(handle.lease_key, RWH)])
        except Lost:
            self.lost_creates.append(handle)
            raise
        if b"DH2Q" not in found or found[b"DH2Q"][4:8] != b"\x02\0\0\0":
            raise Loss(f"{handle.name}: no persistent handle was granted")
        if lease_state(found) != RWH:
            raise Loss(f"{handle.name}: lease {lease_state(found)} instead of RWH")
        self.handles.append(handle)

    def step(self):
        if len(self.handles) < self.wanted:
            return self.open_one()
        handle = self.source.choice(self.handles)
        dice = self.source.random()
        if dice < 0.6:
            index = self.source.randrange(BLOCKS)
            content = self.source.randbytes(BLOCK)
            handle.pending = ("write", index, content)
            self.connection.write(handle.file_id, index * BLOCK, content)
            handle.blocks[index] = content
        elif dice < 0.97:
            slot = self.source.randrange(LOCK_SLOTS)
            held = slot in handle.locked
            handle.pending = ("unlock" if held else "lock", slot)
            self.connection.lock(handle.file_id, LOCK_BASE + slot * LOCK_SIZE, LOCK_SIZE,
                                 UNLOCK if held else LOCK_EXCLUSIVE | FAIL_IMMEDIATELY)
            (handle.locked.discard if held else handle.locked.add)(slot)
        else:
            handle.pending = ("close",)
            self.connection.close_file(handle.file_id)
            self.handles.remove(handle)
            self.check_content(handle)
        handle.pending = None
        return None

    def work(self, stop):
        """Until the server is gone, or `stop`."""
        while not stop.is_set():
            try:
                self.step()
                self.operations += 1
            except Lost:
                return

    # -- after the crash
    def recover(self):
        self.connect()
        for handle in list(self.handles):
            pending, handle.pending = handle.pending, None
            try:
                file_id, found, _ = self.connection.create(
                    handle.name, [reconnect_v2(handle.file_id, handle.create_guid), lease_v2(handle.lease_key, 0)])
            except Refused as refusal:
                if pending == ("close",) and refusal.status == OBJECT_NAME_NOT_FOUND:
                    self.handles.remove(handle)
                    self.check_content(handle)
                    continue
                raise Loss(f"{handle.name}: the handle did not come back: {refusal}") from refusal
            if file_id[:8] != handle.file_id[:8]:
                raise Loss(f"{handle.name}: another persistent id")
            handle.file_id = file_id
            if b"RqLs" not in found or lease_state(found) != RWH:
                raise Loss(f"{handle.name}: its lease is gone")
            self.check_locks(handle, pending)
            self.check_content(handle, pending)
        self.settle_lost_creates()

    def settle_lost_creates(self):
        """A client that did not see the answer has the GUID only: [MS-SMB2] 3.3.5.9.12."""
        for handle in self.lost_creates:
            try:
                file_id, _, _ = self.connection.create(
                    handle.name, [reconnect_v2(b"\0" * 16, handle.create_guid), lease_v2(handle.lease_key, 0)])
                self.connection.close_file(file_id)
            except Refused as refusal:
                if refusal.status != OBJECT_NAME_NOT_FOUND:
                    raise Loss(f"{handle.name}: {refusal}") from refusal
        self.lost_creates.clear()

    def check_locks(self, handle, pending):
        """Through a second handle with the same lease key, which breaks nothing."""
        other, _, _ = self.connection.create(handle.name, [lease_v2(handle.lease_key, 0)])
        unsure = pending[1] if pending and pending[0] in ("lock", "unlock") else None
        for slot in range(LOCK_SLOTS):
            where = LOCK_BASE + slot * LOCK_SIZE
            try:
                self.connection.lock(other, where, LOCK_SIZE, LOCK_EXCLUSIVE | FAIL_IMMEDIATELY)
                self.connection.lock(other, where, LOCK_SIZE, UNLOCK)
                there = False
            except Refused as refusal:
                if refusal.status != LOCK_NOT_GRANTED:
                    raise Loss(f"{handle.name}: lock {slot}: {refusal}") from refusal
                there = True
            if slot == unsure:
                (handle.locked.add if there else handle.locked.discard)(slot)
            elif there != (slot in handle.locked):
                raise Loss(f"{handle.name}: lock {slot} is {'there' if there else 'gone'}")
        self.connection.close_file(other)

    def check_content(self, handle, pending=None):
        if handle in self.handles:
            # By SMB: a local open would break the lease.
            data = self.connection.read(handle.file_id, 0, BLOCKS * BLOCK)
        else:
            with open(os.path.join(self.server.dir, "share", handle.name), "rb") as file:
                data = file.read()
        for index, content in handle.blocks.items():
            have = data[index * BLOCK:(index + 1) * BLOCK]
            if have == content:
                continue
            if pending and pending[0] == "write" and pending[1] == index and have == pending[2]:
                continue
            raise Loss(f"{handle.name}: block {index} is not what was acknowledged")
        if pending and pending[0] == "write":
            index = pending[1]
            have = data[index * BLOCK:(index + 1) * BLOCK]
            if have == pending[2]:
                handle.blocks[index] = have


def all_at_once(functions):
    """Runs them in threads; raises the first of their exceptions."""
    problems = []

    def guarded(function):
        try:
            function()
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(problem)
    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    return threads, problems


def run_round(server, clients, source):
    """One life of the server; the time that the next one took to give everything back."""
    stop = threading.Event()
    threads, problems = all_at_once([lambda c=c: c.work(stop) for c in clients])
    time.sleep(source.uniform(0.05, 0.8))
    server.process.kill()
    server.process.wait()
    stop.set()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    begin = time.time()
    server.start()
    threads, problems = all_at_once([c.recover for c in clients])
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    took = time.time() - begin
    if took * 1000 > TIMEOUT_MS:
        raise Loss(f"it took {took:.1f} s")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(TOP, "build", "release"))
    parser.add_argument("--io", default="auto", choices=["uring", "epoll", "auto"])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=0, help="instead of --seconds")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--handles", type=int, default=4, help="of each client")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    print(f"crash test: seed {arguments.seed}, {arguments.clients} clients, {arguments.handles} handles each",
          flush=True)
    source = random.Random(arguments.seed)
    server = Server(arguments.build, arguments.io)
    server.write_config(server.text + f'[share.ca]\npath = "{server.dir}/share"\ncontinuous_availability = true\n')
    clients = [Client(n, arguments.seed, server, arguments.handles) for n in range(arguments.clients)]
    done, slowest, code = 0, 0.0, 0
    try:
        server.add_accounts()
        server.start()
        for client in clients:
            client.connect()
        end = time.time() + arguments.seconds
        while done < arguments.rounds if arguments.rounds else time.time() < end:
            slowest = max(slowest, run_round(server, clients, source))
            done += 1
        if server.sanitizer_report():
            raise Loss(server.sanitizer_report())
    except (Loss, Refused, Lost, RuntimeError, OSError) as problem:
        print(f"FAILED in round {done + 1}, seed {arguments.seed}: {problem}\n{server.log_text()[-3000:]}")
        code = 1
    finally:
        if arguments.keep:
            print(f"kept: {server.dir}")
        else:
            server.remove()
    print(f"{done} rounds, {sum(c.operations for c in clients)} acknowledged operations, "
          f"{sum(len(c.handles) for c in clients)} handles at the end, slowest recovery {slowest:.2f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
