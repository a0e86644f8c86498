#!/usr/bin/env python3
"""Nothing that was acknowledged is lost when the server is killed.

    crash_test.py [--build DIR] [--io uring|epoll|auto] [--seed N] [--seconds S | --rounds N] [--clients N] [--keep]

Clients hold persistent handles with leases and byte-range locks, write with write-through, rename through their
handles and mark files for deletion, while a stranger (another client) opens and writes what they cache, and while the
server gets SIGKILL at random moments and is started again.  After each start every handle must come back within its
time-out with its lease, every acknowledged lock must be there and no other (asked for by LOCK, and for the stranger by
READ and WRITE too), every acknowledged write must be in the file, which has its acknowledged name and is gone if it was
to be deleted; and nobody has a lease to read what the stranger has changed.  What was under way when the server died
may have been done or not.  The seed makes the clients' choices and the moments of the kills the same; what the
scheduler does with them it does not.  Exit code 1 on any loss."""
import argparse
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from server import Server                                                # noqa: E402
from smb3_wire import (CAP_PERSISTENT, DELETE_PENDING, FAIL_IMMEDIATELY, FILE_LOCK_CONFLICT, LEASE_H,  # noqa: E402
                       LEASE_R, LEASE_W, LOCK_EXCLUSIVE, LOCK_NOT_GRANTED, OBJECT_NAME_NOT_FOUND, UNLOCK, Connection,
                       Lost, Refused, durable_v2, lease_state, lease_v2, reconnect_v2)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK, BLOCKS = 512, 64
LOCK_BASE, LOCK_SIZE, LOCK_SLOTS = 1 << 20, 100, 16
RWH = LEASE_R | LEASE_W | LEASE_H
TIMEOUT_MS = 60000
ACCESS = 0x0013019F             # read, write, delete
# Whose outcome is on disk before the answer.
RECORDED = ("create", "lock", "unlock", "close", "doom", "rename", "stranger")


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
        self.doomed = False         # goes with its last handle
        # ("write", index, content) | ("lock", slot) | ("unlock", slot) | ("doom", bool) | ("rename", name)
        # | ("stranger", index, content) | ("close",)
        self.pending = None


class Client:
    def __init__(self, number, seed, server, handles):
        self.number = number
        self.source = random.Random(f"{seed}/{number}")
        self.server = server
        self.guid = self.source.randbytes(16)
        self.stranger_guid = self.source.randbytes(16)
        self.wanted = handles
        self.handles = []
        self.made = 0
        self.connection = None
        self.stranger = None        # another client
        self.operations = 0
        self.lost_creates = []      # handles whose CREATE was not answered

    def connect(self):
        self.connection = self.connected(self.guid)
        self.stranger = self.connected(self.stranger_guid)

    def connected(self, guid):
        deadline = time.time() + 30
        while True:
            try:
                connection = Connection(self.server.port, guid, self.server.user, self.server.password, "ca")
                break
            except Lost:
                # The listening socket of the server that was killed may live on for a moment (io_uring).
                if time.time() > deadline or not self.server.alive():
                    raise
                time.sleep(0.05)
        if not connection.capabilities & CAP_PERSISTENT or not connection.share_capabilities & 0x10:
            raise Loss("no persistent handles are offered")
        return connection

    def interrupted(self):
        """What of the server's the kill may have cut in two."""
        kinds = [handle.pending[0] for handle in self.handles if handle.pending]
        return kinds + ["create"] * len(self.lost_creates)

    def path(self, name):
        return os.path.join(self.server.dir, "share", name)

    # -- the work
    def fresh_name(self):
        self.made += 1
        return f"client{self.number}-{self.made}.dat"

    def open_one(self):
        handle = Handle(self.source, self.fresh_name())
        try:
            handle.file_id, found, _ = self.connection.create(
                handle.name, [durable_v2(handle.create_guid, timeout=TIMEOUT_MS), lease_v2(handle.lease_key, RWH)],
                access=ACCESS)
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
        if dice < 0.45:
            index = self.source.randrange(BLOCKS)
            content = self.source.randbytes(BLOCK)
            handle.pending = ("write", index, content)
            self.connection.write(handle.file_id, index * BLOCK, content)
            handle.blocks[index] = content
        elif dice < 0.78:
            slot = self.source.randrange(LOCK_SLOTS)
            held = slot in handle.locked
            handle.pending = ("unlock" if held else "lock", slot)
            self.connection.lock(handle.file_id, LOCK_BASE + slot * LOCK_SIZE, LOCK_SIZE,
                                 UNLOCK if held else LOCK_EXCLUSIVE | FAIL_IMMEDIATELY)
            (handle.locked.discard if held else handle.locked.add)(slot)
        elif dice < 0.84:
            handle.pending = ("doom", not handle.doomed)
            self.connection.delete_on_close(handle.file_id, not handle.doomed)
            handle.doomed = not handle.doomed
        elif dice < 0.90:
            if not handle.doomed:
                name = self.fresh_name()
                handle.pending = ("rename", name)
                self.connection.rename(handle.file_id, name)
                handle.name = name
        elif dice < 0.96:
            if not handle.doomed:
                self.meet_stranger(handle)
        else:
            handle.pending = ("close",)
            self.connection.close_file(handle.file_id)
            self.handles.remove(handle)
            self.check_closed(handle)
        handle.pending = None
        return None

    def stranger_opens(self, handle):
        """The owner gives up writing; the stranger's handle."""
        asked = self.stranger.send_create(handle.name, [])
        key, state = self.connection.next_break()
        if key != handle.lease_key or state & LEASE_W:
            raise Loss(f"{handle.name}: a break to {state} of {key.hex()}")
        self.connection.acknowledge_lease(key, state)
        return self.stranger.created(asked)[0]

    def unlock_all(self, handle):
        for slot in sorted(handle.locked):
            handle.pending = ("unlock", slot)
            self.connection.lock(handle.file_id, LOCK_BASE + slot * LOCK_SIZE, LOCK_SIZE, UNLOCK)
            handle.locked.discard(slot)
        handle.pending = None

    def take_all_back(self, handle):
        """The stranger is gone: another open of the same lease gets all of it again, as long as nothing is locked."""
        file_id, found, _ = self.connection.create(handle.name, [lease_v2(handle.lease_key, RWH)])
        self.connection.breaks.clear()
        if lease_state(found) != RWH:
            raise Loss(f"{handle.name}: {lease_state(found)} instead of RWH after the stranger")
        self.connection.close_file(file_id)

    def meet_stranger(self, handle):
        self.unlock_all(handle)
        index = self.source.randrange(BLOCKS)
        content = self.source.randbytes(BLOCK)
        handle.pending = ("stranger", index, content)
        other = self.stranger_opens(handle)
        self.stranger.write(other, index * BLOCK, content)
        handle.blocks[index] = content
        # It asks for an answer as long as the handle was cached.
        key, state = self.connection.next_break()
        if key != handle.lease_key or state:
            raise Loss(f"{handle.name}: a break to {state} of {key.hex()}")
        self.connection.acknowledge_lease(key, 0)
        self.stranger.close_file(other)
        self.take_all_back(handle)

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
                found = self.reconnect(handle, pending)
            except Refused as refusal:
                if pending == ("close",) and refusal.status == OBJECT_NAME_NOT_FOUND:
                    self.handles.remove(handle)
                    # A deletion that was recorded is done; the name may still go a moment later.
                    self.check_closed(handle, gone_by=time.time() + 5)
                    continue
                raise Loss(f"{handle.name}: the handle did not come back: {refusal}") from refusal
            self.check_lease(handle, pending, lease_state(found) if b"RqLs" in found else None)
            self.check_deletion(handle, pending)
            self.check_locks(handle, pending)
            self.check_content(handle, pending)
            if lease_state(found) != RWH:
                self.take_all_back(handle)
            if self.source.random() < 0.25:
                self.ask_stranger(handle)
            if handle.doomed:
                self.connection.delete_on_close(handle.file_id)
        self.settle_lost_creates()

    def reconnect(self, handle, pending):
        names = [handle.name] + ([pending[1]] if pending and pending[0] == "rename" else [])
        present = [name for name in names if os.path.exists(self.path(name))]
        if len(present) != 1 and pending != ("close",):
            raise Loss(f"{names}: {present} are there")
        if present:
            handle.name = present[0]
        file_id, found, _ = self.connection.create(
            handle.name, [reconnect_v2(handle.file_id, handle.create_guid), lease_v2(handle.lease_key, 0)])
        if file_id[:8] != handle.file_id[:8]:
            raise Loss(f"{handle.name}: another persistent id")
        handle.file_id = file_id
        return found

    def check_lease(self, handle, pending, state):
        if state is None:
            raise Loss(f"{handle.name}: its lease is gone")
        if pending == ("close",):
            return                  # it may have been given up already
        if pending and pending[0] == "stranger":
            with open(self.path(handle.name), "rb") as file:
                file.seek(pending[1] * BLOCK)
                changed = file.read(BLOCK) == pending[2]
            # All had been given back if the content was acknowledged: then it is in `blocks`.
            if changed and state & LEASE_R and handle.blocks.get(pending[1]) != pending[2]:
                raise Loss(f"{handle.name}: a lease to read what a stranger has changed")
            return
        if state != RWH:
            raise Loss(f"{handle.name}: lease {state} instead of RWH")

    def check_deletion(self, handle, pending):
        """DELETE_PENDING is what others are told; afterwards it is not, for the checks that follow."""
        try:
            other, _, _ = self.connection.create(handle.name, [lease_v2(handle.lease_key, 0)], disposition=1)
            self.connection.close_file(other)
            there = False
        except Refused as refusal:
            if refusal.status != DELETE_PENDING:
                raise Loss(f"{handle.name}: {refusal}") from refusal
            there = True
        if pending and pending[0] == "doom":
            handle.doomed = there
        elif there != handle.doomed:
            raise Loss(f"{handle.name}: {'is' if there else 'is not'} to be deleted")
        if there:
            self.connection.delete_on_close(handle.file_id, False)

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
            if slot == unsure or pending == ("close",):
                (handle.locked.add if there else handle.locked.discard)(slot)
            elif there != (slot in handle.locked):
                raise Loss(f"{handle.name}: lock {slot} is {'there' if there else 'gone'}")
        self.connection.close_file(other)

    def ask_stranger(self, handle):
        """What is locked is so for another client: to LOCK, READ and WRITE."""
        other = self.stranger_opens(handle)
        for slot in range(LOCK_SLOTS):
            where = LOCK_BASE + slot * LOCK_SIZE
            for what, status in (
                    (lambda at: self.stranger.lock(other, at, LOCK_SIZE, LOCK_EXCLUSIVE | FAIL_IMMEDIATELY),
                     LOCK_NOT_GRANTED),
                    (lambda at: self.stranger.write(other, at + 5, b"stranger"), FILE_LOCK_CONFLICT),
                    (lambda at: self.stranger.read(other, at + 7, 3), FILE_LOCK_CONFLICT)):
                try:
                    what(where)
                    refused = False
                except Refused as refusal:
                    if refusal.status != status:
                        raise Loss(f"{handle.name}: the stranger at lock {slot}: {refusal}") from refusal
                    refused = True
                if refused != (slot in handle.locked):
                    raise Loss(f"{handle.name}: lock {slot}: the stranger was {'' if refused else 'not '}refused")
        self.stranger.close_file(other)
        if len(handle.locked) < LOCK_SLOTS:     # it has locked or written something
            self.connection.acknowledge_lease(*self.connection.next_break())
        self.unlock_all(handle)
        self.take_all_back(handle)

    def check_closed(self, handle, gone_by=0.0):
        if not handle.doomed:
            return self.check_content(handle)
        while os.path.exists(self.path(handle.name)):
            if time.time() > gone_by:
                raise Loss(f"{handle.name}: it was not deleted")
            time.sleep(0.05)
        return None

    def check_content(self, handle, pending=None):
        if handle in self.handles:
            # By SMB: a local open would break the lease.
            data = self.connection.read(handle.file_id, 0, BLOCKS * BLOCK)
        else:
            with open(self.path(handle.name), "rb") as file:
                data = file.read(BLOCKS * BLOCK)
        unsure = pending and pending[0] in ("write", "stranger") and pending
        for index, content in handle.blocks.items():
            have = data[index * BLOCK:(index + 1) * BLOCK]
            if have == content or (unsure and unsure[1] == index and have == unsure[2]):
                continue
            raise Loss(f"{handle.name}: block {index} is not what was acknowledged")
        if unsure and data[unsure[1] * BLOCK:(unsure[1] + 1) * BLOCK] == unsure[2]:
            handle.blocks[unsure[1]] = unsure[2]


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


def run_round(server, clients, source, interrupted):
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
    for client in clients:
        for kind in client.interrupted():
            interrupted[kind] = interrupted.get(kind, 0) + 1
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
    # It looks at files behind the server's back, also where a CLOSE was cut off and the handle may still wait: with
    # kernel_leases such a look would break its lease.
    server.write_config(server.text + f'[share.ca]\npath = "{server.dir}/share"\ncontinuous_availability = true\n'
                        'kernel_leases = false\n')
    clients = [Client(n, arguments.seed, server, arguments.handles) for n in range(arguments.clients)]
    done, slowest, code, interrupted = 0, 0.0, 0, {}
    try:
        server.add_accounts()
        server.start()
        for client in clients:
            client.connect()
        end = time.time() + arguments.seconds
        while done < arguments.rounds if arguments.rounds else time.time() < end:
            slowest = max(slowest, run_round(server, clients, source, interrupted))
            done += 1
            if done % 100 == 0:
                print(f"{done} rounds, slowest recovery {slowest:.2f} s", flush=True)
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
    print("killed in the middle of: " + ", ".join(f"{kind} {count}" for kind, count in sorted(interrupted.items())))
    print(f"{done} rounds, {sum(c.operations for c in clients)} acknowledged operations, "
          f"{sum(len(c.handles) for c in clients)} handles at the end, slowest recovery {slowest:.2f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
