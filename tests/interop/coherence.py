"""Clients that cache and lock, beside local programs that open, change and lock the same files."""
import fcntl
import os
import secrets
import threading
import time

from case import expect, test
from server import Server
from smb3_wire import (CAP_DIRECTORY_LEASING, FAIL_IMMEDIATELY, LEASE_H, LEASE_R, LEASE_W, LOCK_EXCLUSIVE,
                       LOCK_NOT_GRANTED, LOCK_SHARED, UNLOCK, Connection, Refused, durable_v2, lease_state, lease_v2)

RWH, RH = LEASE_R | LEASE_W | LEASE_H, LEASE_R | LEASE_H
READ_WRITE, READ_ONLY = 0x0012019F, 0x00120089
BREAK_TIMEOUT = 3
LOCKS = """
[share.locks]
path = "{0}"
posix_locks = true
"""


class OwnServer:
    """With an impatient break time-out, and a share whose locks are the host's."""

    def __init__(self, server):
        self.server = Server(server.build, server.io, server=f'oplock_break_timeout = "{BREAK_TIMEOUT}s"')
        locks = os.path.join(self.server.dir, "locks")
        os.mkdir(locks)
        self.server.write_config(self.server.text + LOCKS.format(locks))
        self.connections = []

    def __enter__(self):
        self.server.add_accounts()
        self.server.start()
        return self

    def __exit__(self, kind, *_):
        for connection in self.connections:
            connection.close()
        code, _ = self.server.stop()
        report = self.server.sanitizer_report()
        if kind is None:
            expect(code == 0 and not report, f"exit code {code}: {report or self.server.log_text()[-2000:]}")
        self.server.remove()

    def client(self, share="test"):
        connection = Connection(self.server.port, secrets.token_bytes(16), self.server.user, self.server.password,
                                share, more_capabilities=CAP_DIRECTORY_LEASING)
        self.connections.append(connection)
        return connection

    def path(self, name, share="share"):
        return os.path.join(self.server.dir, share, name)

    def file(self, name, content=b"old content", share="share"):
        with open(self.path(name, share), "wb") as file:
            file.write(content)
        return self.path(name, share)


class Local(threading.Thread):
    """A local program: does one thing, which may have to wait."""

    def __init__(self, action):
        super().__init__(daemon=True)
        self.action, self.result, self.problem, self.ended = action, None, None, None
        self.began = time.time()
        self.start()

    def run(self):
        try:
            self.result = self.action()
        except OSError as problem:
            self.problem = problem
        self.ended = time.time()

    def waits(self, seconds=0.3):
        self.join(seconds)
        return self.is_alive()

    def done(self, seconds=10):
        self.join(seconds)
        expect(not self.is_alive(), f"the local program still waits after {seconds} s")
        if self.problem:
            raise self.problem
        return self.result


def read_all(path):
    with open(path, "rb") as file:
        return file.read()


def write_all(path, data, flags=os.O_WRONLY):
    fd = os.open(path, flags)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def leased(client, name, state, access=READ_WRITE, key=None, extra=()):
    key = key or secrets.token_bytes(16)
    file_id, found, _ = client.create(name, [lease_v2(key, state), *extra], access=access)
    return file_id, key, lease_state(found)


def expect_break(client, key, before, after, seconds=2):
    came = client.wait_break(seconds)
    expect(came == (key, before, after, True), f"came {came}, not a break {before} -> {after}")


LOCAL_CHANGES = {
    "read": read_all,
    "write": lambda path: write_all(path, b"NEW"),
    "append": lambda path: write_all(path, b"more", os.O_WRONLY | os.O_APPEND),
    "open and truncate": lambda path: write_all(path, b"", os.O_WRONLY | os.O_TRUNC),
    "truncate by name": lambda path: os.truncate(path, 3),
}


@test("coherence.dirty-data")
def dirty_data(server):
    """What a client has not written back is there before the local opener goes on."""
    with OwnServer(server) as own:
        client = own.client()
        for number, (what, change) in enumerate(LOCAL_CHANGES.items()):
            name = f"dirty{number}"
            path = own.file(name)
            file_id, key, state = leased(client, name, RWH)
            expect(state == RWH, f"{what}: granted {state}")
            local = Local(lambda change=change, path=path: change(path))
            # Beside a handle that writes there is no lease of the kernel's that lets others read.
            expect_break(client, key, RWH, 0)
            expect(local.waits(), f"{what}: the local program went on before the break was acknowledged")
            client.write(file_id, 0, b"DIRTY")
            expect(local.waits(0.1), f"{what}: it went on before the break was acknowledged")
            client.acknowledge_lease(key, 0)
            acknowledged = time.time()
            result = local.done()
            waited = local.ended - acknowledged
            expect(waited < 1, f"{what}: {waited:.3f} s after the acknowledgment")
            wanted = {"read": b"DIRTYontent", "write": b"NEWTYontent", "append": b"DIRTYontentmore",
                      "open and truncate": b"", "truncate by name": b"DIR"}[what]
            seen = client.read(file_id, 0, 100) if wanted else b""
            expect(read_all(path) == wanted and seen == wanted, f"{what}: {read_all(path)}, by SMB {seen}")
            expect(what != "read" or result == wanted, f"the local program has read {result}")
            client.close_file(file_id)


@test("coherence.readers")
def readers(server):
    """Local readers leave what clients have read; a local writer takes it, and who has it open keeps it from them."""
    with OwnServer(server) as own:
        one, two = own.client(), own.client()
        path = own.file("shared")
        first, key_one, state = leased(one, "shared", RWH, READ_ONLY)
        expect(state == RWH, f"granted {state}")
        local = Local(lambda: read_all(path))
        expect_break(one, key_one, RWH, RH)
        expect(local.waits(), "the local program went on")
        one.acknowledge_lease(key_one, RH)
        expect(local.done() == b"old content", "what was read")
        second, key_two, state = leased(two, "shared", RH, READ_ONLY)
        expect(state == RH, f"the second client is granted {state}")
        expect(read_all(path) == b"old content" and one.wait_break(0.2) is None and two.wait_break(0.1) is None,
               "a local reader breaks what readers have")
        local = Local(lambda: write_all(path, b"new"))
        expect_break(one, key_one, RH, 0)
        expect_break(two, key_two, RH, 0)
        one.acknowledge_lease(key_one, 0)
        expect(local.waits(), "one client has yet to answer")
        two.acknowledge_lease(key_two, 0)
        local.done()
        expect(one.read(first, 0, 20) == b"new content", "what the client reads")
        with open(path, "r+b"):
            fourth = own.client()
            file_id, _, state = leased(fourth, "shared", RWH, READ_ONLY)
            expect(state == 0, f"granted {state} beside a local writer")
            fourth.close_file(file_id)
        two.close_file(second)
        one.close_file(first)
        with open(path, "rb"):
            third = own.client()
            file_id, _, state = leased(third, "shared", RWH, READ_ONLY)
            expect(state == RH, f"granted {state} beside a local reader")
            third.close_file(file_id)
        _, _, state = leased(own.client(), "shared", RWH)
        expect(state == RWH, f"granted {state} when nobody else has it open")


@test("coherence.own-opens")
def own_opens(server):
    """What clients open themselves breaks nothing on the host's account, and is guarded as well."""
    with OwnServer(server) as own:
        client, other = own.client(), own.client()
        path = own.file("twice")
        reader, key, state = leased(client, "twice", RWH, READ_ONLY)
        writer, _, again = leased(client, "twice", RWH, READ_WRITE, key)
        third, _, last = leased(client, "twice", RWH, READ_ONLY, key)
        expect(state == again == last == RWH and client.wait_break(0.3) is None, f"{state} {again} {last}")
        client.close_file(reader)
        local = Local(lambda: read_all(path))
        expect_break(client, key, RWH, 0)
        client.write(writer, 0, b"DIRTY")
        expect(local.waits(0.1), "the local program went on")
        client.acknowledge_lease(key, 0)
        expect(local.done() == b"DIRTYontent", "what the local program has read")
        expect(client.read(third, 0, 5) == b"DIRTY", "what the client reads")
        client.close_file(writer)
        client.close_file(third)
        # Another client's open takes the right to cache writes by SMB's rules, and no more.
        first, key, _ = leased(client, "twice", RWH)
        opener = Local(lambda: leased(other, "twice", RH, READ_ONLY))
        expect_break(client, key, RWH, RH)
        client.acknowledge_lease(key, RH)
        _, key_two, state = opener.done()
        expect(state == RH and client.wait_break(0.2) is None, f"the second client is granted {state}")
        local = Local(lambda: write_all(path, b"new"))
        expect_break(client, key, RH, 0)
        expect_break(other, key_two, RH, 0)
        client.acknowledge_lease(key, 0)
        other.acknowledge_lease(key_two, 0)
        local.done()
        client.close_file(first)


@test("coherence.other-share")
def other_share(server):
    """Two shares over one directory are one to their clients and to the host."""
    with OwnServer(server) as own:
        client, other = own.client(), own.client("readonly")
        own.file("two")
        file_id, key, _ = leased(client, "two", RWH)
        opener = Local(lambda: other.create("two", [], access=READ_ONLY, disposition=1, oplock=0))
        expect_break(client, key, RWH, RH)
        client.write(file_id, 0, b"DIRTY")
        expect(opener.waits(0.2), "the other share's client went on")
        client.acknowledge_lease(key, RH)
        seen = other.read(opener.done()[0], 0, 5)
        expect(seen == b"DIRTY", f"the other share's client reads {seen}")


@test("coherence.no-answer")
def no_answer(server):
    """A local program waits for a client that does not answer as long as another client would."""
    with OwnServer(server) as own:
        client = own.client()
        path = own.file("silent")
        _, key, _ = leased(client, "silent", RWH)
        local = Local(lambda: read_all(path))
        expect_break(client, key, RWH, 0)
        local.done(BREAK_TIMEOUT + 5)
        waited = local.ended - local.began
        expect(BREAK_TIMEOUT - 0.5 < waited < BREAK_TIMEOUT + 3, f"it waited {waited:.1f} s")
        # One whose connection is gone, and whose handle waits for it, cannot answer.
        away = own.client()
        path = own.file("away")
        _, _, state = leased(away, "away", RWH, extra=[durable_v2(secrets.token_bytes(16), persistent=False)])
        expect(state == RWH, f"granted {state}")
        away.close()
        deadline = time.time() + 5
        while not any(one["waiting"] for one in own.server.ask("open", "list")) and time.time() < deadline:
            time.sleep(0.02)
        local = Local(lambda: read_all(path))
        expect(local.done(2) == b"old content", "what was read")


@test("coherence.directories")
def directories(server):
    """A directory lease is broken within 100 ms of a local change of a name, and the next listing has it."""
    with OwnServer(server) as own:
        client = own.client()
        os.makedirs(own.path("dir/sub"))
        path = own.path("dir")
        changes = [("create", lambda: open(path + "/new", "wb").close(), {"new", "sub"}),
                   ("rename", lambda: os.rename(path + "/new", path + "/moved"), {"moved", "sub"}),
                   ("move in", lambda: os.rename(own.file("outside"), path + "/inside"), {"moved", "sub", "inside"}),
                   ("unlink", lambda: os.unlink(path + "/moved"), {"sub", "inside"}),
                   ("mkdir", lambda: os.mkdir(path + "/deeper"), {"sub", "inside", "deeper"}),
                   ("rmdir", lambda: os.rmdir(path + "/sub"), {"inside", "deeper"})]
        slowest = 0
        for what, change, wanted in changes:
            key = secrets.token_bytes(16)
            file_id, found, _ = client.create("dir", [lease_v2(key, RH)], access=READ_ONLY, disposition=1, options=1)
            expect(lease_state(found) == RH, f"{what}: granted {lease_state(found)}")
            client.names(file_id)
            begin = time.time()
            change()
            expect_break(client, key, RH, 0)
            slowest = max(slowest, time.time() - begin)
            client.acknowledge_lease(key, 0)
            listed = set(client.names(file_id)) - {".", ".."}
            expect(listed == wanted, f"{what}: listed {listed}, not {wanted}")
            client.close_file(file_id)
        print(f"  the slowest break of a directory lease came after {slowest * 1000:.1f} ms")
        expect(slowest < 0.1, f"the slowest break came after {slowest:.3f} s")


def try_lock(path, kind, start, length):
    """Takes and gives back a lock, as a local program would; False if somebody has one."""
    with open(path, "r+b") as file:
        try:
            fcntl.lockf(file, kind | fcntl.LOCK_NB, length, start)
            return True
        except OSError:
            return False


def refused(action):
    try:
        action()
    except Refused as refusal:
        expect(refusal.status == LOCK_NOT_GRANTED, f"{refusal}")
        return True
    return False


@test("coherence.locks")
def locks(server):
    """posix_locks: a client's locks are local ones, and local ones are refused to clients."""
    now = LOCK_EXCLUSIVE | FAIL_IMMEDIATELY
    with OwnServer(server) as own:
        one, two = own.client("locks"), own.client("locks")
        path = own.file("file", b"x" * 1000, "locks")
        first = one.create("file", [], oplock=0)[0]
        second = two.create("file", [], oplock=0)[0]
        one.lock(first, 100, 100, now)
        expect(not try_lock(path, fcntl.LOCK_EX, 150, 1) and not try_lock(path, fcntl.LOCK_SH, 199, 1), "not locked")
        expect(try_lock(path, fcntl.LOCK_EX, 0, 100) and try_lock(path, fcntl.LOCK_EX, 200, 0), "too much is locked")
        # Of two shared locks one stays when the other goes.
        one.lock(first, 300, 10, LOCK_SHARED | FAIL_IMMEDIATELY)
        two.lock(second, 305, 10, LOCK_SHARED | FAIL_IMMEDIATELY)
        expect(try_lock(path, fcntl.LOCK_SH, 300, 15) and not try_lock(path, fcntl.LOCK_EX, 300, 1), "shared locks")
        one.lock(first, 300, 10, UNLOCK)
        expect(try_lock(path, fcntl.LOCK_EX, 300, 5) and not try_lock(path, fcntl.LOCK_EX, 305, 1), "after unlocking")
        # Beyond what the host can express, and up to it.
        one.lock(first, (1 << 63) - 10, 1 << 63, now)
        expect(not try_lock(path, fcntl.LOCK_EX, (1 << 63) - 2, 1), "the end is not locked")
        one.lock(first, (1 << 64) - 5, 5, now)
        two.close_file(second)
        expect(try_lock(path, fcntl.LOCK_EX, 305, 10), "locks outlive their handle")
        with open(path, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX, 50, 500)
            expect(refused(lambda: one.lock(first, 520, 1, now)), "a local lock is not respected")
            expect(refused(lambda: one.lock(first, 400, 101, now)), "a local lock is not respected")
            one.lock(first, 400, 100, now)
            waiting = Local(lambda: one.lock(first, 540, 100, LOCK_EXCLUSIVE))
            expect(waiting.waits(), "a lock that may wait does not")
            fcntl.lockf(file, fcntl.LOCK_UN, 50, 500)
            waiting.done(5)
        expect(not try_lock(path, fcntl.LOCK_EX, 600, 1) and try_lock(path, fcntl.LOCK_EX, 510, 10), "after waiting")
        # Another handle for reading gets the file's one description, and its end leaves the locks.
        third = one.create("file", [], access=READ_ONLY, oplock=0)[0]
        one.close_file(third)
        expect(not try_lock(path, fcntl.LOCK_EX, 150, 1), "another handle's end took the locks")
        one.close_file(first)
        expect(try_lock(path, fcntl.LOCK_EX, 0, 0), "locks outlive the last handle")
