#!/usr/bin/env python3
"""Files over every dialect that impacket speaks: a tree is put and got, listed, renamed and deleted.

    impacket_files.py --host H --port P --share S --user U --password W [--size MIB]

Exits with 1 on any mismatch.  Needs python3-impacket."""
import argparse
import hashlib
import io
import os
import random
import sys

from impacket import smb3
from impacket.smb3structs import (SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30,
                                  SMB2_DIALECT_302, SMB2_DIALECT_311)
from impacket.smbconnection import SessionError, SMBConnection

DIALECTS = {"2.0.2": SMB2_DIALECT_002, "2.1": SMB2_DIALECT_21, "3.0": SMB2_DIALECT_30, "3.0.2": SMB2_DIALECT_302,
            "3.1.1": SMB2_DIALECT_311}
OBJECT_NAME_NOT_FOUND, OBJECT_NAME_COLLISION = 0xC0000034, 0xC0000035
OBJECT_PATH_NOT_FOUND, DIRECTORY_NOT_EMPTY, BAD_NETWORK_NAME = 0xC000003A, 0xC0000101, 0xC00000CC
LOGON_FAILURE = 0xC000006D

FAILURES = []


def check(condition, message):
    if not condition:
        FAILURES.append(message)
        print("FAILED:", message, flush=True)


def expect_status(wanted, what, function, *arguments):
    try:
        function(*arguments)
        check(False, f"{what} succeeded")
    except SessionError as error:
        check(error.getErrorCode() == wanted, f"{what}: {error.getErrorCode():#x} instead of {wanted:#x}")


def connect(args, dialect):
    if dialect == SMB2_DIALECT_302:
        # SMBConnection does not let one ask for it, but takes a connection that has it.
        raw = smb3.SMB3(args.host, args.host, sess_port=args.port, preferredDialect=dialect)
        connection = SMBConnection(existingConnection=raw)
    else:
        connection = SMBConnection(args.host, args.host, sess_port=args.port, preferredDialect=dialect)
    check(connection.getDialect() == dialect, f"dialect {connection.getDialect():#x} instead of {dialect:#x}")
    # [MS-SMB2] 3.2.5.3: a session's hash begins with the connection's; impacket 0.10 forgets that for NTLM.
    raw = connection.getSMBServer()
    raw._Session["PreauthIntegrityHashValue"] = raw._Connection["PreauthIntegrityHashValue"]
    connection.login(args.user, args.password)
    return connection


def make_tree(size):
    """Path -> content: empty, small, odd and large files, in folders, with names that are not ASCII
    (impacket counts a character beyond the BMP as one UTF-16 unit, so there is none)."""
    source = random.Random(4242)
    files = {
        "empty": b"",
        "one": b"x",
        "page": source.randbytes(4096),
        "odd": source.randbytes(65537),
        # No character beyond 16 bits: impacket 0.10 counts it as one unit and sends a name cut short.
        "Größe 漢字 ☺.txt": "naïve".encode(),
        "sub\\with space": source.randbytes(1000),
        "sub\\deep\\deeper\\leaf.bin": source.randbytes(300000),
        "large": source.randbytes(size << 20),
    }
    for number in range(150):
        files[f"many\\file-{number:04}.dat"] = source.randbytes(number * 7)
    return files


def folders_of(files):
    folders = set()
    for path in files:
        parts = path.split("\\")[:-1]
        folders.update("\\".join(parts[:depth + 1]) for depth in range(len(parts)))
    return sorted(folders)


def listing(connection, share, folder):
    return {entry.get_longname(): entry for entry in connection.listPath(share, folder + "\\*")
            if entry.get_longname() not in (".", "..")}


def put_tree(connection, share, root, files):
    connection.createDirectory(share, root)
    for folder in folders_of(files):
        connection.createDirectory(share, f"{root}\\{folder}")
    for path, content in files.items():
        connection.putFile(share, f"{root}\\{path}", io.BytesIO(content).read)


def get_and_compare(connection, share, root, files):
    for path, content in files.items():
        got = io.BytesIO()
        connection.getFile(share, f"{root}\\{path}", got.write)
        same = hashlib.sha256(got.getvalue()).digest() == hashlib.sha256(content).digest()
        check(same, f"{path}: {len(got.getvalue())} bytes came back of {len(content)}, or others")


def compare_listings(connection, share, root, files):
    for folder in [""] + folders_of(files):
        prefix = folder + "\\" if folder else ""
        inside = {path[len(prefix):]: content for path, content in files.items()
                  if path.startswith(prefix) and "\\" not in path[len(prefix):]}
        below = {name[len(prefix):] for name in folders_of(files)
                 if name.startswith(prefix) and name != folder and "\\" not in name[len(prefix):]}
        entries = listing(connection, share, f"{root}\\{folder}" if folder else root)
        check(set(entries) == set(inside) | below, f"{folder!r} lists {sorted(set(entries) ^ (set(inside) | below))}")
        for name, entry in entries.items():
            check(bool(entry.is_directory()) == (name in below), f"{prefix}{name}: kind")
            if name in inside:
                check(entry.get_filesize() == len(inside[name]), f"{prefix}{name}: size {entry.get_filesize()}")


def change(connection, share, root, files):
    """Renames, overwrites, and what must fail."""
    connection.rename(share, f"{root}\\one", f"{root}\\sub\\renamed")
    files["sub\\renamed"] = files.pop("one")
    files["odd"] = b"shorter than before"
    connection.putFile(share, f"{root}\\odd", io.BytesIO(files["odd"]).read)
    connection.rename(share, f"{root}\\sub\\deep", f"{root}\\Deep")
    files["Deep\\deeper\\leaf.bin"] = files.pop("sub\\deep\\deeper\\leaf.bin")

    expect_status(OBJECT_NAME_COLLISION, "mkdir twice", connection.createDirectory, share, root)
    expect_status(OBJECT_NAME_NOT_FOUND, "getting what is not there", connection.getFile, share, f"{root}\\none",
                  lambda data: None)
    expect_status(OBJECT_PATH_NOT_FOUND, "getting from what is not there", connection.getFile, share,
                  f"{root}\\none\\none", lambda data: None)
    expect_status(DIRECTORY_NOT_EMPTY, "rmdir of a full folder", connection.deleteDirectory, share, f"{root}\\sub")
    got = io.BytesIO()
    connection.getFile(share, f"{root}\\PAGE", got.write)
    check(got.getvalue() == files["page"], "a name in another case")
    found = connection.listPath(share, f"{root}\\many\\file-00?0.dat")
    check(len(found) == 10, f"file-00?0.dat finds {len(found)}")


def remove_tree(connection, share, root):
    for name, entry in listing(connection, share, root).items():
        path = f"{root}\\{name}"
        if entry.is_directory():
            remove_tree(connection, share, path)
        else:
            connection.deleteFile(share, path)
    connection.deleteDirectory(share, root)


def partial_io(connection, share, root):
    """Reads and writes in the middle of a file."""
    tree = connection.connectTree(share)
    handle = connection.createFile(tree, f"{root}\\middle")
    content = bytearray(200000)
    connection.writeFile(tree, handle, bytes(content), 0)
    patch = os.urandom(777)
    connection.writeFile(tree, handle, patch, 123457)
    content[123457:123457 + len(patch)] = patch
    connection.writeFile(tree, handle, b"end", 200500)
    content += bytes(500) + b"end"
    check(connection.readFile(tree, handle, 123400, 1000) == bytes(content[123400:124400]), "a read in the middle")
    check(connection.readFile(tree, handle, 199990, 1000, singleCall=False) == bytes(content[199990:]),
          "a read up to the end")
    connection.closeFile(tree, handle)
    got = io.BytesIO()
    connection.getFile(share, f"{root}\\middle", got.write)
    check(got.getvalue() == bytes(content), "a file written in parts")
    connection.deleteFile(share, f"{root}\\middle")
    connection.disconnectTree(tree)


def run(args, name, dialect):
    print(f"dialect {name}", flush=True)
    connection = connect(args, dialect)
    root = f"impacket {name} {os.getpid()}"
    files = make_tree(args.size)
    put_tree(connection, args.share, root, files)
    compare_listings(connection, args.share, root, files)
    get_and_compare(connection, args.share, root, files)
    change(connection, args.share, root, files)
    partial_io(connection, args.share, root)
    compare_listings(connection, args.share, root, files)
    get_and_compare(connection, args.share, root, files)
    remove_tree(connection, args.share, root)
    check(not [entry for entry in connection.listPath(args.share, "*") if entry.get_longname() == root],
          f"{root} is still there")
    expect_status(BAD_NETWORK_NAME, "an unknown share", connection.connectTree, "no such share")
    connection.logoff()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=445)
    parser.add_argument("--share", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--size", type=int, default=12, help="of the large file, in MiB")
    parser.add_argument("--dialect", choices=DIALECTS, action="append", help="only these")
    args = parser.parse_args()

    for name in args.dialect or DIALECTS:
        try:
            run(args, name, DIALECTS[name])
        except (SessionError, smb3.SessionError, AssertionError, OSError) as error:
            check(False, f"dialect {name}: {type(error).__name__}: {error}")
    connection = SMBConnection(args.host, args.host, sess_port=args.port)
    expect_status(LOGON_FAILURE, "a wrong password", connection.login, args.user, "wrong" + args.password)
    print(f"{len(FAILURES)} failures" if FAILURES else "all as expected", flush=True)
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
