"""libsmbclient (python3-smbc): write, list, read, rename, delete.

usage: smbc_round_trip.py URL USER; $SMB3D_PASSWORD"""
import hashlib
import os
import sys

import smbc


def main():
    url, user = sys.argv[1:]
    context = smbc.Context()
    context.optionNoAutoAnonymousLogin = True
    context.functionAuthData = lambda server, share, workgroup, name, password: (
        workgroup, user, os.environ["SMB3D_PASSWORD"])
    base = url + "/smbc"
    context.mkdir(base, 0o755)
    data = {f"file {i} ä": os.urandom(size) for i, size in enumerate([0, 1, 65536, 3 << 20])}
    for name, content in data.items():
        file = context.open(f"{base}/{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        view = memoryview(content)
        while view:
            count = file.write(bytes(view[:1 << 20]))
            view = view[count:]
        file.close()
    listed = {entry.name for entry in context.opendir(base).getdents()} - {".", ".."}
    assert listed == set(data), listed
    for name, content in data.items():
        file = context.open(f"{base}/{name}", os.O_RDONLY)
        read = b""
        while block := file.read(1 << 20):
            read += block
        assert hashlib.sha256(read).digest() == hashlib.sha256(content).digest(), name
        assert file.fstat()[6] == len(content), file.fstat()
        file.close()
        context.rename(f"{base}/{name}", f"{base}/renamed {name}")
        context.unlink(f"{base}/renamed {name}")
    context.rmdir(base)
    print("ok")


main()
