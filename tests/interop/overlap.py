"""A share over a directory of another share: their clients see each other as clients of one share do."""
import os
import select
import threading
import time

import smb3_wire as wire
from case import expect, test
from clients import smbclient
from host_changes import Watcher
from server import Server

DELETE_PENDING, CANNOT_DELETE = 0xC0000056, 0xC0000121
DELETE = 0x00010000
LEASE_RWH = wire.LEASE_R | wire.LEASE_W | wire.LEASE_H


def refused(status, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except wire.Refused as refusal:
        expect(refusal.status == status, f"{refusal}, not {status:#010x}")
        return
    raise AssertionError(f"it was done; expected {status:#010x}")


class Overlapping:
    """A server with the share "test" and the share "below", whose root is test/sub; a client of each."""

    def __init__(self, main_server):
        self.server = Server(main_server.build, main_server.io)
        sub = os.path.join(self.server.share, "sub")
        os.mkdir(sub)
        os.chmod(sub, 0o777)
        self.server.write_config(self.server.text + f'[share.below]\npath = "{sub}"\n')

    def __enter__(self):
        self.server.add_accounts()
        self.server.start()
        return self.server, self.client("test"), self.client("below")

    def __exit__(self, kind, *_):
        code, _ = self.server.stop()
        self.server.remove()
        expect(kind or code == 0, f"exit code {code}")

    def client(self, share):
        return wire.Connection(self.server.port, os.urandom(16), self.server.user, self.server.password, share)


@test("overlap.share-modes")
def share_modes(main_server):
    with Overlapping(main_server) as (server, above, below):
        mine, _, _ = above.create("sub\\file", [], share=0)
        refused(wire.SHARING_VIOLATION, below.create, "file", [])
        above.close_file(mine)
        theirs, _, _ = below.create("file", [], share=0)
        refused(wire.SHARING_VIOLATION, above.create, "sub\\file", [])
        # A directory is not renamed while something below it is open, through whatever share.
        _, output = smbclient(server, "rename sub other", check=False)
        expect("NT_STATUS_ACCESS_DENIED" in output, output)
        below.close_file(theirs)
        smbclient(server, "rename sub other; rename other sub")


@test("overlap.locks")
def locks(main_server):
    with Overlapping(main_server) as (_, above, below):
        mine, _, _ = above.create("sub\\file", [])
        theirs, _, _ = below.create("file", [])
        exclusive = wire.LOCK_EXCLUSIVE | wire.FAIL_IMMEDIATELY
        above.lock(mine, 0, 10, exclusive)
        refused(wire.LOCK_NOT_GRANTED, below.lock, theirs, 5, 10, exclusive)
        above.close_file(mine)
        below.lock(theirs, 5, 10, exclusive)


@test("overlap.deletion")
def deletion(main_server):
    with Overlapping(main_server) as (server, above, below):
        mine, _, _ = above.create("sub\\file", [])
        theirs, _, _ = below.create("file", [], access=0x0012019F | DELETE, options=0x1040)
        below.close_file(theirs)  # FILE_DELETE_ON_CLOSE: the name goes with the last handle
        refused(DELETE_PENDING, above.create, "sub\\file", [])
        expect(os.path.exists(os.path.join(server.share, "sub", "file")), "it went too early")
        above.close_file(mine)  # relative to another root than that of the handle that wanted it
        expect(not os.path.exists(os.path.join(server.share, "sub", "file")), "it is still there")
        # The root of a share is not deleted through it.
        refused(CANNOT_DELETE, below.create, "", [], access=0x00100081 | DELETE, options=0x1001, disposition=1)


@test("overlap.leases")
def leases(main_server):
    with Overlapping(main_server) as (_, above, below):
        key = os.urandom(16)
        mine, found, _ = above.create("sub\\file", [wire.lease_v2(key, LEASE_RWH)])
        expect(wire.lease_state(found) == LEASE_RWH, found)
        opened = []
        other = threading.Thread(target=lambda: opened.append(below.create("file", [])))
        other.start()
        deadline = time.time() + 10
        while not above.breaks and time.time() < deadline:
            expect(not opened, "it was opened before the writer let go")
            above.write(mine, 0, b"cached")
        expect(above.breaks, "the lease was not broken")
        above.acknowledge_lease(key, wire.LEASE_R | wire.LEASE_H)
        other.join(10)
        expect(opened, "it was not opened after the break")


def one_event(watcher, event):
    """It comes once: what is seen by both shares' watches of the host would come twice."""
    watcher.wait_for(event)
    time.sleep(0.3)
    while select.select([watcher.terminal], [], [], 0)[0]:
        watcher.text += os.read(watcher.terminal, 65536).decode()
    expect(watcher.events().count(event) == 1, watcher.events())


def ready(watcher, directory, probe):
    """Waits until the watch is there."""
    for attempt in range(100):
        open(os.path.join(directory, f"{probe}{attempt}"), "w", encoding="utf-8").close()
        if select.select([watcher.terminal], [], [], 0.1)[0]:
            break
    watcher.wait_for(("added", f"{probe}{attempt}"))


@test("overlap.notify")
def notify(main_server):
    with Overlapping(main_server) as (server, above, below):
        sub = os.path.join(server.share, "sub")
        inner = os.path.join(sub, "inner")
        os.mkdir(inner)
        with Watcher(server, "sub\\inner") as one, Watcher(server, "inner", share="below") as two:
            ready(one, inner, "one")
            ready(two, inner, "two")
            above.close_file(above.create("sub\\inner\\by-test", [])[0])
            below.close_file(below.create("inner\\by-below", [])[0])
            open(os.path.join(inner, "by-host"), "w", encoding="utf-8").close()
            for name in ("by-test", "by-below", "by-host"):
                one_event(one, ("added", name))
                one_event(two, ("added", name))
