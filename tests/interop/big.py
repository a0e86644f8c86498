#!/usr/bin/env python3
"""The main job on real input: a tree of 20,000 files and 1 GiB, and one file of 6 GiB, there and back.

    tests/interop/big.py [--build DIR] [--io uring|epoll|auto] [--source DIR] [--files N] [--gib N] [--large-gib N]
                         [--parts smbclient,rclone,impacket,smbc,large]

The tree is made of files below --source (/usr/share), without names that differ by case only or that Windows has no
way to say, and of generated large files.  smbclient takes all of it (mput, mget), the others a smaller part; checksums
must be equal on the share and after reading back.  Takes minutes and some 20 GiB below /var/tmp: not part of
`./run test`, which does the same on a smaller tree.  Ends with "N passed, N failed, N skipped".
"""
import argparse
import functools
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import clients                                                           # noqa: E402
import interop                                                           # noqa: E402
import tree                                                              # noqa: E402
from case import Skip, expect, need, run                                 # noqa: E402
from server import Server                                                # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FORBIDDEN = set('":*?<>|\\')
MIB = 1 << 20


def usable(name):
    return (not FORBIDDEN & set(name) and all(ord(c) >= 32 for c in name) and name[-1] not in ". "
            and not any(0xDC80 <= ord(c) <= 0xDCFF for c in name))


def make_tree(source, target, files, size):
    """Copies up to `files` files, then generates until there are so many and `size` bytes; (files, bytes)."""
    count, total, seen = 0, 0, set()
    for directory, folders, names in os.walk(source):
        # Two folders that differ by case only would meet in one.
        folders[:] = sorted({f.lower(): f for f in folders if usable(f)}.values())
        below = os.path.relpath(directory, source)
        for name in sorted(names):
            path = os.path.join(directory, name)
            relative = os.path.normpath(os.path.join(below, name))
            if count >= files or not usable(name) or relative.lower() in seen or not os.path.isfile(path) or \
                    os.path.islink(path):
                continue
            seen.add(relative.lower())
            os.makedirs(os.path.join(target, os.path.dirname(relative)), exist_ok=True)
            shutil.copyfile(path, os.path.join(target, relative))
            count += 1
            total += os.path.getsize(path)
    source_of_bytes = random.Random(5)
    while count < files or total < size:
        large = min(64 * MIB, max(size - total, 1000))
        folder = os.path.join(target, "generated", str(count % 10))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{count}.bin"), "wb") as file:
            for _ in range(large // MIB):
                file.write(source_of_bytes.randbytes(MIB))
            file.write(source_of_bytes.randbytes(large % MIB))
        count, total = count + 1, total + large
    return count, total


def report(what, size, seconds, count=None):
    files = f", {count / seconds:.0f} files/s" if count else ""
    print(f"      {what}: {seconds:.1f} s, {size / seconds / MIB:.1f} MiB/s{files}", flush=True)


class Work:
    def __init__(self, arguments, folder):
        self.whole, self.part = os.path.join(folder, "whole"), os.path.join(folder, "part")
        self.folder, self.large = folder, arguments.large_gib << 30
        self.count, self.size = make_tree(arguments.source, self.whole, arguments.files, arguments.gib << 30)
        self.part_count, self.part_size = make_tree(arguments.source, self.part, arguments.files // 10,
                                                    (arguments.gib << 30) // 10)
        print(f"tree: {self.count} files, {self.size / MIB:.0f} MiB; part: {self.part_count} files, "
              f"{self.part_size / MIB:.0f} MiB")


def part_smbclient(work, server):
    with clients.Scratch(server, "whole") as scratch:
        back = scratch.folder("back")
        begin = time.time()
        clients.smbclient(server, f"mkdir whole; cd whole; recurse on; prompt off; lcd {work.whole}; mput *",
                          timeout=7200)
        report("mput", work.size, time.time() - begin, work.count)
        clients.same(work.whole, scratch.remote)
        begin = time.time()
        clients.smbclient(server, f"cd whole; recurse on; prompt off; lcd {back}; mget *", timeout=7200)
        report("mget", work.size, time.time() - begin, work.count)
        clients.same(work.whole, back)
        begin = time.time()
        clients.smbclient(server, "deltree whole", timeout=3600)
        report("deltree", work.size, time.time() - begin, work.count)
        expect(not os.path.exists(scratch.remote), "deltree left something")


def part_rclone(work, server):
    need("rclone")
    code, obscured = run(["rclone", "obscure", server.password])
    expect(code == 0, obscured)
    env = dict(os.environ, RCLONE_CONFIG="/dev/null", RCLONE_SMB_HOST="127.0.0.1", RCLONE_SMB_PORT=str(server.port),
               RCLONE_SMB_USER=server.user, RCLONE_SMB_PASS=obscured.strip())
    with clients.Scratch(server, "rclone") as scratch:
        back = scratch.folder("back")
        for name, one, other in (("put", work.part, ":smb:test/rclone"), ("get", ":smb:test/rclone", back)):
            begin = time.time()
            code, output = run(["rclone", "copy", "--create-empty-src-dirs", "--retries", "1", one, other], env=env,
                               timeout=7200)
            report(f"rclone {name}", work.part_size, time.time() - begin, work.part_count)
            expect(code == 0, output[-2000:])
        clients.same(work.part, scratch.remote)
        clients.same(work.part, back)


def python_client(work, server, module):
    if run([clients.PYTHON, "-c", f"import {module}"])[0] != 0:
        raise Skip(f"Python's {module} is not installed")
    with clients.Scratch(server, module) as scratch:
        back = scratch.folder("back")
        env = dict(os.environ, SMB3D_PASSWORD=server.password, HOME="/nonexistent")
        for verb in ("put", "get"):
            begin = time.time()
            code, output = run([clients.PYTHON, os.path.join(HERE, "copy_tree.py"), module, verb, "127.0.0.1",
                                str(server.port), server.user, module, work.part if verb == "put" else back],
                               env=env, timeout=7200)
            report(f"{module} {verb}", work.part_size, time.time() - begin, work.part_count)
            expect(code == 0, output[-3000:])
        clients.same(work.part, scratch.remote)
        clients.same(work.part, back)


def part_impacket(work, server):
    python_client(work, server, "impacket")


def part_smbc(work, server):
    python_client(work, server, "smbc")


def part_large(work, server):
    one, other = os.path.join(work.folder, "large"), os.path.join(work.folder, "back")
    with open(one, "wb") as file:
        # The counter makes every block another: one that is lost, doubled or moved shows.
        block = bytearray(os.urandom(MIB))
        for index in range(work.large // MIB):
            block[:8] = index.to_bytes(8, "little")
            file.write(block)
    for verb, command in (("put", f"put {one} large"), ("get", f"get large {other}")):
        begin = time.time()
        clients.smbclient(server, command, timeout=7200)
        report(verb, work.large, time.time() - begin)
    subprocess.run(["cmp", one, os.path.join(server.share, "large")], check=True)
    subprocess.run(["cmp", one, other], check=True)


PARTS = {"smbclient": part_smbclient, "rclone": part_rclone, "impacket": part_impacket, "smbc": part_smbc,
         "large": part_large}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(interop.TOP, "build", "release"))
    parser.add_argument("--io", default="auto", choices=["uring", "epoll", "auto"])
    parser.add_argument("--source", default="/usr/share")
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--gib", type=int, default=1)
    parser.add_argument("--large-gib", type=int, default=6)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    arguments = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    server = Server(arguments.build, arguments.io)
    try:
        server.add_accounts()
        server.start()
        work = Work(arguments, os.path.join(server.dir, "client"))
        for name in arguments.parts:
            interop.run_one(f"big.{name}", functools.partial(PARTS[name], work), server, counts)
        interop.stop_checked(server, counts)
    finally:
        server.remove()
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


sys.exit(main())
