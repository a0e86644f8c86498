#!/usr/bin/env python3
"""Copies a tree with impacket or libsmbclient, for big.py.

    copy_tree.py impacket|smbc put|get HOST PORT USER REMOTE LOCAL      ($SMB3D_PASSWORD)

REMOTE is a folder of the share "test"; put makes it.  Exits with 1 on any error."""
import os
import sys

BLOCK = 1 << 20


class Impacket:
    def __init__(self, host, port, user):
        from impacket.smbconnection import SMBConnection
        self.connection = SMBConnection(host, host, sess_port=port)
        raw = self.connection.getSMBServer()
        # [MS-SMB2] 3.2.5.3: a session's hash begins with the connection's; impacket 0.10 forgets that for NTLM.
        raw._Session["PreauthIntegrityHashValue"] = raw._Connection["PreauthIntegrityHashValue"]
        self.connection.login(user, os.environ["SMB3D_PASSWORD"])

    def make_folder(self, path):
        self.connection.createDirectory("test", path.replace("/", "\\"))

    def put(self, path, file):
        self.connection.putFile("test", path.replace("/", "\\"), file.read)

    def get(self, path, file):
        self.connection.getFile("test", path.replace("/", "\\"), file.write)

    def entries(self, path):
        """(name, is a folder) of everything in a folder."""
        for entry in self.connection.listPath("test", path.replace("/", "\\") + "\\*"):
            if entry.get_longname() not in (".", ".."):
                yield entry.get_longname(), entry.is_directory()


class Smbc:
    def __init__(self, host, port, user):
        import smbc
        self.context = smbc.Context()
        self.folder_type = smbc.DIR
        self.context.optionNoAutoAnonymousLogin = True
        self.context.functionAuthData = lambda server, share, workgroup, name, password: (
            workgroup, user, os.environ["SMB3D_PASSWORD"])
        self.base = f"smb://{host}:{port}/test/"

    def url(self, path):
        # libsmbclient takes a percent sign for the beginning of an escape.
        return self.base + path.replace("%", "%25")

    def make_folder(self, path):
        self.context.mkdir(self.url(path), 0o755)

    def put(self, path, file):
        remote = self.context.open(self.url(path), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        while block := file.read(BLOCK):
            while block:
                block = block[remote.write(block):]
        remote.close()

    def get(self, path, file):
        remote = self.context.open(self.url(path), os.O_RDONLY)
        while block := remote.read(BLOCK):
            file.write(block)
        remote.close()

    def entries(self, path):
        for entry in self.context.opendir(self.url(path)).getdents():
            if entry.name not in (".", ".."):
                yield entry.name, entry.smbc_type == self.folder_type


def put_tree(client, local, remote):
    client.make_folder(remote)
    for name in sorted(os.listdir(local)):
        path = os.path.join(local, name)
        if os.path.isdir(path):
            put_tree(client, path, f"{remote}/{name}")
        else:
            with open(path, "rb") as file:
                client.put(f"{remote}/{name}", file)


def get_tree(client, remote, local):
    os.makedirs(local, exist_ok=True)
    for name, folder in list(client.entries(remote)):
        path = os.path.join(local, name)
        if folder:
            get_tree(client, f"{remote}/{name}", path)
        else:
            with open(path, "wb") as file:
                client.get(f"{remote}/{name}", file)


def main():
    kind, verb, host, port, user, remote, local = sys.argv[1:]
    client = {"impacket": Impacket, "smbc": Smbc}[kind](host, int(port), user)
    if verb == "put":
        put_tree(client, local, remote)
    else:
        get_tree(client, remote, local)


main()
