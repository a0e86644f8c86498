"""What local programs change in a share reaches clients that watch a directory of it."""
import os
import pty
import select
import subprocess
import time

from case import expect, need, test
from clients import Scratch, smbclient_command

ACTIONS = {"0001": "added", "0002": "removed", "0003": "modified", "0004": "old", "0005": "new"}


class Watcher:
    """smbclient's notify (the whole tree, every filter) of one directory."""

    def __init__(self, server, directory, share="test"):
        need("smbclient")
        # A terminal, so that smbclient does not keep its lines back.
        self.terminal, end = pty.openpty()
        self.process = subprocess.Popen(smbclient_command(server, f"notify {directory}", share),
                                        stdin=subprocess.DEVNULL, stdout=end, stderr=subprocess.STDOUT)
        os.close(end)
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        os.close(self.terminal)

    def events(self):
        lines = [line.split(" ", 1) for line in self.text.replace("\r", "").split("\n")[:-1]]
        return [(ACTIONS[line[0]], line[1]) for line in lines if len(line) == 2 and line[0] in ACTIONS]

    def wait_for(self, event, seconds=10):
        deadline = time.time() + seconds
        while event not in self.events():
            left = deadline - time.time()
            expect(left > 0, f"waited {seconds} s for {event}; came: {self.text!r}")
            if select.select([self.terminal], [], [], left)[0]:
                self.text += os.read(self.terminal, 65536).decode()
        return time.time()


@test("notify.host")
def host(server):
    with Scratch(server, "watched") as scratch:
        os.makedirs(os.path.join(scratch.remote, "sub"))
        with Watcher(server, "watched") as watcher:
            here = lambda name: os.path.join(scratch.remote, name)        # noqa: E731
            # Until the watch is there.
            for attempt in range(100):
                open(here(f"probe{attempt}"), "w", encoding="utf-8").close()
                if select.select([watcher.terminal], [], [], 0.1)[0]:
                    break
            watcher.wait_for(("added", f"probe{attempt}"))
            waits = []
            for number in range(10):
                begin = time.time()
                open(here(f"sub/file{number}"), "w", encoding="utf-8").close()
                waits.append(watcher.wait_for(("added", f"sub\\file{number}")) - begin)
            waits.sort()
            print(f"a local change reaches the client in {waits[5] * 1000:.1f} ms (slowest {waits[-1] * 1000:.1f} ms)")
            expect(waits[5] < 0.1, f"it took {waits} s")
            os.rename(here("sub/file1"), here("sub/renamed"))
            watcher.wait_for(("new", "sub\\renamed"))
            expect(("old", "sub\\file1") in watcher.events(), watcher.events())
            with open(here("sub/file2"), "a", encoding="utf-8") as file:
                file.write("local")
            watcher.wait_for(("modified", "sub\\file2"))
            os.unlink(here("sub/file3"))
            watcher.wait_for(("removed", "sub\\file3"))
            os.makedirs(here("new/deep"))
            watcher.wait_for(("added", "new\\deep"))
            open(here("new/deep/end"), "w", encoding="utf-8").close()
            watcher.wait_for(("added", "new\\deep\\end"))
