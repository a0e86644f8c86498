#!/usr/bin/python3
"""How long a name takes in a directory of many: missing, in the wrong case, new.  Needs impacket.

    big_directory.py --port 4450 --share bench --user root --password bench --local /srv/bench

makes (through --local, the share's directory on this machine) a directory of --entries files if it is not there, and
prints the first and the median time of --rounds requests of each kind, in microseconds; with --server-pid also what one
of them (open and close) costs the server in CPU time, which a busy machine and a slow client do not change.
"""
import argparse
import os
import statistics
import time

from impacket.smb3structs import (FILE_CREATE, FILE_NON_DIRECTORY_FILE, FILE_OPEN, FILE_SHARE_DELETE, FILE_SHARE_READ,
                                  FILE_SHARE_WRITE, SMB2_DIALECT_30)
from impacket.smbconnection import SessionError, SMBConnection

READ, WRITE, DELETE = 0x1, 0x2, 0x10000


def make(path, entries):
    os.makedirs(path, exist_ok=True)
    for i in range(len(os.listdir(path)), entries):
        os.close(os.open(f"{path}/File number {i:07}.dat", os.O_CREAT | os.O_WRONLY, 0o644))


def cpu_us(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=445)
    parser.add_argument("--share", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--local", required=True)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--server-pid", type=int)
    args = parser.parse_args()
    folder = f"big-{args.entries}"
    make(f"{args.local}/{folder}", args.entries)
    smb = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=args.port, preferredDialect=SMB2_DIALECT_30)
    smb.login(args.user, args.password)
    tree = smb.connectTree(args.share)

    def open_file(name, disposition=FILE_OPEN, access=READ):
        begin = time.perf_counter()
        try:
            handle = smb.openFile(tree, f"{folder}\\{name}", desiredAccess=access, creationDisposition=disposition,
                                  creationOption=FILE_NON_DIRECTORY_FILE,
                                  shareMode=FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        except SessionError as error:
            if error.getErrorCode() != 0xC0000034:
                raise
            handle = None
        took = time.perf_counter() - begin
        if handle is not None:
            smb.closeFile(tree, handle)
        return took * 1e6, handle is not None

    def measure(what, names, expected, **options):
        times = []
        cpu = []
        for name in names:
            before = cpu_us(args.server_pid) if args.server_pid else 0
            took, found = open_file(name, **options)
            assert found == expected, (what, name)
            times.append(took)
            cpu.append(cpu_us(args.server_pid) - before if args.server_pid else 0)
        print(f"{what:24} first {times[0]:9.0f}  median {statistics.median(times):8.0f}  "
              f"worst but the first {max(times[1:]):8.0f} us;  server CPU first {cpu[0]:8.0f}  "
              f"mean of the others {statistics.mean(cpu[1:]):6.0f} us")

    rounds = range(args.rounds)
    stamp = int(time.time())
    measure("as it is written", [f"File number {i * 7 % args.entries:07}.dat" for i in rounds], True)
    measure("missing", [f"missing {stamp} {i}" for i in rounds], False)
    measure("in the wrong case", [f"fILE NUMBER {i * 7 % args.entries:07}.DAT" for i in rounds], True)
    new = [f"new {stamp} {i}" for i in rounds]
    measure("new", new, True, disposition=FILE_CREATE, access=READ | WRITE)
    measure("missing, after creating", [f"absent {stamp} {i}" for i in rounds], False)
    for name in new:
        os.unlink(f"{args.local}/{folder}/{name}")
    smb.logoff()


if __name__ == "__main__":
    main()
