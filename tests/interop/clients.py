"""smbclient, rclone, impacket and libsmbclient: what goes in comes out again."""
import errno
import json
import os
import pwd
import shutil
import struct
import subprocess
import sys
import tempfile

import tree
from case import Skip, expect, need, run, test
from server import SECOND_USER, has_second_user

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian's modules are for Debian's interpreter.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
DIALECTS = {"SMB2_02": "2.0.2", "SMB2_10": "2.1", "SMB3_00": "3.0", "SMB3_02": "3.0.2", "SMB3_11": "3.1.1"}


def smbclient_command(server, commands, share="test", options=(), user=None, host="127.0.0.1"):
    user = user or f"{server.user}%{server.password}"
    return ["smbclient", f"//{host}/{share}", "-p", str(server.port), "-U", user, "--configfile=/dev/null",
            *options, "-c", commands]


def smbclient(server, commands, share="test", options=(), user=None, check=True, host="127.0.0.1", timeout=300):
    need("smbclient")
    code, output = run(smbclient_command(server, commands, share, options, user, host), timeout=timeout)
    if check:
        expect(code == 0 and "NT_STATUS" not in output,
               f"smbclient -c {commands[:500]!r}: exit code {code}\n{output[-1500:]}")
    return code, output


class Scratch:
    """A local directory for the client's side, and a folder of its own on the share."""

    def __init__(self, server, name):
        self.server, self.name = server, name

    def __enter__(self):
        self.local = tempfile.mkdtemp(prefix="smb3d-client-", dir="/var/tmp")
        self.remote = os.path.join(self.server.share, self.name)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.local, ignore_errors=True)
        shutil.rmtree(self.remote, ignore_errors=True)

    def folder(self, name):
        path = os.path.join(self.local, name)
        os.makedirs(path, exist_ok=True)
        return path


def same(one, other):
    problem = tree.difference(one, other)
    expect(not problem, problem)


@test("smbclient.list")
def list_shares(server):
    need("smbclient")
    code, output = run(["smbclient", "-L", "127.0.0.1", "-p", str(server.port), "-U",
                        f"{server.user}%{server.password}", "--configfile=/dev/null", "-g"])
    expect(code == 0, output)
    lines = [line for line in output.splitlines() if "|" in line]
    for line in ("Disk|test|test share", "Disk|readonly|", "IPC|IPC$|Remote IPC", "Disk|hidden$|"):
        expect(line in lines, f"no {line!r} in\n{output}")


@test("smbclient.tree")
def tree_both_ways(server):
    with Scratch(server, "tree") as scratch:
        source, back = scratch.folder("source"), scratch.folder("back")
        tree.make(source)
        smbclient(server, f"mkdir tree; cd tree; recurse on; prompt off; lcd {source}; mput *")
        same(source, scratch.remote)
        smbclient(server, f"cd tree; recurse on; prompt off; lcd {back}; mget *")
        same(source, back)
        smbclient(server, "deltree tree")
        expect(not os.path.exists(scratch.remote), "deltree left something")


@test("smbclient.tar")
def tar_both_ways(server):
    with Scratch(server, "tar") as scratch:
        source, back = scratch.folder("source"), scratch.folder("back")
        # The archive's header of smbclient has no room for some of the names; contents are what counts here.
        tree.make(source)
        archive = os.path.join(scratch.local, "a.tar")
        subprocess.run(["tar", "-cf", archive, "-C", source, "."], check=True)
        smbclient(server, f"mkdir tar; cd tar; tar x {archive}")
        same(source, scratch.remote)
        out = os.path.join(scratch.local, "b.tar")
        smbclient(server, f"cd tar; tar c {out} *")
        subprocess.run(["tar", "-xf", out, "-C", back], check=True)
        inner = os.path.join(back, "tar")
        same(source, inner if os.path.isdir(inner) else back)


@test("smbclient.operations")
def operations(server):
    with Scratch(server, "ops") as scratch:
        local = os.path.join(scratch.local, "f")
        with open(local, "wb") as file:
            file.write(b"x" * 100000)
        smbclient(server, f"mkdir ops; cd ops; put {local} a; rename a b; mkdir d; rename b d/c; ls d/*; "
                          "hardlink d/c e; setmode e +rh; ls e; setmode e -rh; rm e; utimes d/c -1 -1 -1 -1; du; "
                          "rm d/c; rmdir d")
        expect(os.listdir(scratch.remote) == [], f"left: {os.listdir(scratch.remote)}")
        code, output = smbclient(server, "cd ops; get nothing", check=False)
        expect(code != 0 and "NT_STATUS_OBJECT_NAME_NOT_FOUND" in output, output)
        smbclient(server, f"cd ops; put {local} Case; get cASE {scratch.local}/g; rm CASE")
        expect(os.path.getsize(os.path.join(scratch.local, "g")) == 100000, "another case of the name")


@test("smbclient.ipv6")
def ipv6(server):
    _, output = smbclient(server, "ls", host="::1")
    expect("blocks of size" in output, output)


def session_as_seen(server, options, work):
    """Runs `work` in one smbclient session, and returns what the server says about that session meanwhile."""
    need("smbclient")
    with tempfile.NamedTemporaryFile("r", prefix="smb3d-session-") as file:
        ask = f"!{server.build}/smb3dctl --config {server.config} --json session list > {file.name}"
        # By standard input: -c knows no shell commands.
        code, output = run(smbclient_command(server, "", options=options)[:-2],
                           stdin="\n".join([ask, *work.split("; "), ""]).encode())
        expect("NT_STATUS" not in output and code == 0, output[-1500:])
        sessions = json.load(file)["result"]
    expect(len(sessions) == 1, f"{len(sessions)} sessions")
    return sessions[0]


def round_trip(server, name, options):
    with Scratch(server, name) as scratch:
        source, back = scratch.folder("source"), os.path.join(scratch.local, "back")
        path = os.path.join(source, "data")
        with open(path, "wb") as file:
            file.write(os.urandom((3 << 20) + 7))
        session = session_as_seen(server, options, f"mkdir {name}; cd {name}; put {path} up; rename up down; "
                                                   f"get down {back}; ls; mkdir d; rmdir d; rm down")
        with open(path, "rb") as one, open(back, "rb") as other:
            expect(one.read() == other.read(), "the data differ")
        return session


def between(low, high):
    return [f"--option=client min protocol={low}", f"--option=client max protocol={high}"]


def register_variants():
    for protocol, dialect in DIALECTS.items():
        def plain(server, protocol=protocol, dialect=dialect):
            session = round_trip(server, "plain", [*between(protocol, protocol), "--client-protection=off"])
            expect(session["dialect"] == dialect, session)

        def signed(server, protocol=protocol, dialect=dialect):
            session = round_trip(server, "signed", [*between(protocol, protocol), "--client-protection=sign"])
            expect(session["dialect"] == dialect and session["signing"] != "none", session)
        test(f"smbclient.plain-{dialect}")(plain)
        test(f"smbclient.signed-{dialect}")(signed)
        if protocol >= "SMB3":
            def encrypted(server, protocol=protocol, dialect=dialect):
                session = round_trip(server, "encrypted", [*between(protocol, protocol), "--client-protection=encrypt"])
                expect(session["dialect"] == dialect and session["encryption"] != "none", session)
            test(f"smbclient.encrypted-{dialect}")(encrypted)
    for cipher in ("AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"):
        def with_cipher(server, cipher=cipher):
            session = round_trip(server, "cipher", [*between("SMB3_11", "SMB3_11"), "--client-protection=encrypt",
                                                    f"--option=client smb3 encryption algorithms={cipher}"])
            expect(session["encryption"] == cipher, session)
        test(f"smbclient.cipher-{cipher}")(with_cipher)
    for algorithm in ("HMAC-SHA256", "AES-128-CMAC", "AES-128-GMAC"):
        def with_algorithm(server, algorithm=algorithm):
            session = round_trip(server, "signer", [*between("SMB3_11", "SMB3_11"), "--client-protection=sign",
                                                    f"--option=client smb3 signing algorithms={algorithm}"])
            expect(session["signing"] == algorithm, session)
        test(f"smbclient.signing-{algorithm}")(with_algorithm)


register_variants()


@test("smbclient.share-policies")
def share_policies(server):
    with Scratch(server, "policies") as scratch:
        local = os.path.join(scratch.local, "f")
        with open(local, "wb") as file:
            file.write(b"policy")
        code, output = smbclient(server, f"put {local} f", share="readonly", check=False)
        expect(code != 0 and "NT_STATUS" in output, f"a read-only share took a file: {output}")
        smbclient(server, f"put {local} f; rm f", share="secret")
        code, output = smbclient(server, "ls", share="secret", options=between("SMB2_10", "SMB2_10"), check=False)
        expect(code != 0 and "NT_STATUS_ACCESS_DENIED" in output, f"no encryption, but let in: {output}")
        smbclient(server, "ls", share="hidden$")
        code, output = smbclient(server, "ls", share="nothere", check=False)
        expect("NT_STATUS_BAD_NETWORK_NAME" in output, output)
        code, output = smbclient(server, "ls", user=f"{server.user}%wrong", check=False)
        expect("NT_STATUS_LOGON_FAILURE" in output, output)
        code, output = smbclient(server, "ls", user="%", check=False)
        expect(code != 0, f"anonymous was let in: {output}")


@test("smbclient.two-users")
def two_users(server):
    if not has_second_user():
        raise Skip("needs root, to make a second user")
    second = f"{SECOND_USER}%{server.second_password}"
    with Scratch(server, "two") as scratch:
        local = os.path.join(scratch.local, "f")
        with open(local, "wb") as file:
            file.write(b"mine")
        smbclient(server, f"mkdir two; cd two; put {local} f")
        code, output = smbclient(server, f"cd two; put {local} g", user=second, check=False)
        expect("NT_STATUS_ACCESS_DENIED" in output, f"wrote into another's folder: {output}")
        smbclient(server, f"cd two; get f {scratch.local}/copy", user=second)
        smbclient(server, f"put {local} second-users", user=second)
        path = os.path.join(server.share, "second-users")
        expect(os.stat(path).st_uid == pwd.getpwnam(SECOND_USER).pw_uid, "the file does not belong to its user")
        os.unlink(path)
        code, output = smbclient(server, "ls", share="private", user=second, check=False)
        expect("NT_STATUS_ACCESS_DENIED" in output, f"let into a share of others: {output}")
        for user, sees in ((second, False), (f"{server.user}%{server.password}", True)):
            code, output = run(["smbclient", "-L", "127.0.0.1", "-p", str(server.port), "-U", user,
                                "--configfile=/dev/null", "-g"])
            expect(code == 0 and "Disk|test|" in output, output)
            expect(("Disk|private|" in output) == sees, f"{user.split('%')[0]} sees {output}")


def set_list(path, user, permissions):
    """What `setfacl -m u:USER:PERMISSIONS` writes ([acl(5)]): version, then tag, permissions and id of each entry."""
    mode = os.stat(path).st_mode
    entries = ((0x01, mode >> 6 & 7, -1), (0x02, permissions, user), (0x04, mode >> 3 & 7, -1),
               (0x10, mode >> 3 & 7 | permissions, -1), (0x20, mode & 7, -1))
    try:
        os.setxattr(path, "system.posix_acl_access",
                    struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries))
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Skip("a file system without access control lists") from error
        raise


@test("smbclient.access-control-lists")
def access_control_lists(server):
    """What a file's list gives a user counts, and no more than that."""
    if not has_second_user():
        raise Skip("needs root, to make a second user")
    uid = pwd.getpwnam(SECOND_USER).pw_uid
    second = f"{SECOND_USER}%{server.second_password}"
    config = server.text + f"""
[share.listed]
path = "{server.share}"
access_based_enumeration = true
"""
    with Scratch(server, "lists") as scratch:
        local = os.path.join(scratch.local, "f")
        with open(local, "wb") as file:
            file.write(b"new")
        folder = os.path.join(server.share, "lists")
        os.mkdir(folder)
        try:
            os.chmod(folder, 0o755)
            for name, permissions in (("closed", None), ("readable", 4), ("writable", 6)):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(b"old")
                os.chmod(file.name, 0o600)
                if permissions is not None:
                    set_list(file.name, uid, permissions)
            server.write_config(config)
            server.ask("reload")
            for name, reads, writes in (("closed", False, False), ("readable", True, False), ("writable", True, True)):
                code, output = smbclient(server, f"cd lists; get {name} {scratch.local}/copy", user=second, check=False)
                expect((code == 0) == reads, f"reading {name}: {output}")
                code, output = smbclient(server, f"cd lists; put {local} {name}", user=second, check=False)
                expect((code == 0) == writes, f"writing {name}: {output}")
                with open(os.path.join(folder, name), "rb") as file:
                    expect(file.read() == (b"new" if writes else b"old"), f"what is in {name}")
            code, output = smbclient(server, f"cd lists; put {local} made", user=second, check=False)
            expect(code != 0, f"made a file in a folder that is another's: {output}")
            _, output = smbclient(server, "cd lists; ls", user=second, share="listed")
            expect("readable" in output and "writable" in output and "closed" not in output, output)
            # A folder's list: to make and remove names in it.
            set_list(folder, uid, 7)
            smbclient(server, f"cd lists; put {local} made; del closed", user=second)
            expect(sorted(os.listdir(folder)) == ["made", "readable", "writable"], os.listdir(folder))
        finally:
            shutil.rmtree(folder)
            server.write_config(server.text)
            server.ask("reload")


@test("rclone.both-ways")
def rclone(server):
    need("rclone")
    code, obscured = run(["rclone", "obscure", server.password])
    expect(code == 0, obscured)
    with Scratch(server, "rclone") as scratch:
        source, back = scratch.folder("source"), scratch.folder("back")
        tree.make(source)
        env = dict(os.environ, RCLONE_CONFIG="/dev/null", RCLONE_SMB_HOST="127.0.0.1", RCLONE_SMB_PORT=str(server.port),
                   RCLONE_SMB_USER=server.user, RCLONE_SMB_PASS=obscured.strip())
        copy = ["copy", "--create-empty-src-dirs"]
        for command in ([*copy, source, ":smb:test/rclone"], ["check", "--download", source, ":smb:test/rclone"],
                        [*copy, ":smb:test/rclone", back], ["purge", ":smb:test/rclone"]):
            code, output = run(["rclone", *command, "--retries", "1"], env=env, timeout=600)
            expect(code == 0, f"rclone {command[0]}: {output[-1500:]}")
            if command[0] == "check":
                same(source, scratch.remote)
        same(source, back)


@test("impacket.files")
def impacket_files(server):
    run_impacket(server, "impacket_files.py", "--size", "3")


@test("impacket.rpc")
def impacket_rpc(server):
    run_impacket(server, "rpc_test.py")


def run_impacket(server, script, *options):
    if run([PYTHON, "-c", "import impacket"])[0] != 0:
        raise Skip("python3-impacket is not installed")
    path = os.path.join(HERE, script)
    if not os.path.exists(path):
        raise Skip(f"{script} is not there")
    env = dict(os.environ, SMB3D_PASSWORD=server.password)
    code, output = run([PYTHON, path, "--host", "127.0.0.1", "--port", str(server.port), "--user", server.user,
                        "--password", server.password, "--share", "test", *options], env=env, timeout=600)
    expect(code == 0, output[-3000:])


@test("smbc.round-trip")
def libsmbclient(server):
    if run([PYTHON, "-c", "import smbc"])[0] != 0:
        raise Skip("python3-smbc is not installed")
    with Scratch(server, "smbc"):
        env = dict(os.environ, SMB3D_PASSWORD=server.password, HOME="/nonexistent")
        code, output = run([PYTHON, os.path.join(HERE, "smbc_round_trip.py"),
                            f"smb://127.0.0.1:{server.port}/test", server.user], env=env, timeout=300)
        expect(code == 0, output[-3000:])
