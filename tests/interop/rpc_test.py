#!/usr/bin/env python3
"""The RPC services of IPC$ as impacket sees them: srvsvc, wkssvc and lsarpc, plain, signed and sealed.

    rpc_test.py --host H --port P --share S --user U --password W

Exits with 1 on any mismatch.  Needs python3-impacket."""
import argparse
import sys
import time

from impacket.dcerpc.v5 import lsad, srvs, transport, wkst
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import (RPC_C_AUTHN_LEVEL_CONNECT, RPC_C_AUTHN_LEVEL_NONE,
                                      RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, DCERPCException)
from impacket.smbconnection import SessionError, SMBConnection

ACCESS_DENIED, NOT_SUPPORTED, INVALID_LEVEL, MORE_DATA = 5, 50, 124, 234
NAME_NOT_FOUND = 2310
STYPE_IPC_SPECIAL = 0x80000003
OBJECT_NAME_NOT_FOUND = 0xC0000034
BUFFER_OVERFLOW = 0x80000005

FAILURES = []


def check(condition, message):
    if not condition:
        FAILURES.append(message)
        print("FAILED:", message, flush=True)


def text(value):
    return value.rstrip("\0") if isinstance(value, str) else value


class Service:
    """A pipe of its own, bound to one interface."""

    def __init__(self, args, pipe, interface, level=RPC_C_AUTHN_LEVEL_NONE):
        made = transport.SMBTransport(args.host, dstport=args.port, filename="\\" + pipe, username=args.user,
                                      password=args.password, remote_host=args.host)
        self.dce = made.get_dce_rpc()
        if level != RPC_C_AUTHN_LEVEL_NONE:
            self.dce.set_credentials(*made.get_credentials())
            self.dce.set_auth_level(level)
        self.dce.connect()
        self.dce.bind(interface)

    def __enter__(self):
        return self.dce

    def __exit__(self, *_):
        self.dce.disconnect()


def srvsvc(args, level=RPC_C_AUTHN_LEVEL_NONE):
    return Service(args, "srvsvc", srvs.MSRPC_UUID_SRVS, level)


def error_of(function, *arguments, **named):
    """The Win32 error that a call ends with; 0 for success."""
    try:
        function(*arguments, **named)
        return 0
    except DCERPCException as error:
        return error.get_error_code()


def shares_at(dce, level, sticky=False):
    call = srvs.hNetrShareEnumSticky if sticky else srvs.hNetrShareEnum
    answer = call(dce, level)
    entries = answer["InfoStruct"]["ShareInfo"][f"Level{level}"]["Buffer"]
    check(answer["TotalEntries"] == len(entries), f"level {level}: TotalEntries {answer['TotalEntries']}")
    return {text(entry[f"shi{level}_netname"]): entry for entry in entries}


def test_share_enum(args, dce):
    plain = shares_at(dce, 0)
    ones = shares_at(dce, 1)
    check(args.share in ones, f"no {args.share} in {sorted(ones)}")
    check(ones["IPC$"]["shi1_type"] == STYPE_IPC_SPECIAL, "IPC$'s type")
    check(ones[args.share]["shi1_type"] == 0, "the share's type")
    for level in (2, 501, 502):
        entries = shares_at(dce, level)
        check(sorted(entries) == sorted(ones) == sorted(plain), f"level {level} lists {sorted(entries)}")
        for name, entry in entries.items():
            check(entry[f"shi{level}_type"] == ones[name]["shi1_type"], f"level {level}: type of {name}")
            check(text(entry[f"shi{level}_remark"]) == text(ones[name]["shi1_remark"]),
                  f"level {level}: remark of {name}")
    for level in (0, 1, 2, 502):
        check(sorted(shares_at(dce, level, sticky=True)) == sorted(ones), f"sticky level {level}")
    check(error_of(srvs.hNetrShareEnumSticky, dce, 501) == INVALID_LEVEL, "sticky level 501")

    entry = shares_at(dce, 2)[args.share]
    check(text(entry["shi2_path"]).startswith("C:\\"), f"path {entry['shi2_path']!r}")
    check(entry["shi2_max_uses"] in (0xFFFFFFFF, -1), f"max uses {entry['shi2_max_uses']}")
    descriptor = b"".join(shares_at(dce, 502)[args.share]["shi502_security_descriptor"])
    check(descriptor[:1] == b"\x01" and len(descriptor) >= 20, "the share's security descriptor")


def test_resume(dce):
    """A list in parts of one entry each is the whole list."""
    wanted = list(shares_at(dce, 1))
    names, resume, error = [], 0, MORE_DATA
    while error == MORE_DATA and len(names) <= len(wanted):
        request = srvs.NetrShareEnum()
        request["ServerName"] = "\0"
        request["PreferedMaximumLength"] = 16
        request["ResumeHandle"] = resume
        request["InfoStruct"]["Level"] = 1
        request["InfoStruct"]["ShareInfo"]["tag"] = 1
        request["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"] = NULL
        try:
            answer = dce.request(request)
            error = 0
        except DCERPCException as problem:
            answer, error = problem.get_packet(), problem.get_error_code()
        resume = answer["ResumeHandle"]
        names += [text(entry["shi1_netname"]) for entry in answer["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]]
    check(error == 0 and names == wanted, f"in parts: {names}, error {error}; wanted {wanted}")


def test_share_get_info(args, dce):
    for level in (0, 1, 2, 501, 502):
        info = srvs.hNetrShareGetInfo(dce, args.share.upper() + "\0", level)["InfoStruct"][f"ShareInfo{level}"]
        check(text(info[f"shi{level}_netname"]) == args.share, f"NetrShareGetInfo level {level}")
    flags = srvs.hNetrShareGetInfo(dce, args.share + "\0", 1005)["InfoStruct"]["ShareInfo1005"]["shi1005_flags"]
    check(flags & 0x30 == 0, f"1005 flags {flags:#x}: caching is not manual")
    check(error_of(srvs.hNetrShareGetInfo, dce, "no such share\0", 1) == NAME_NOT_FOUND, "a share that is not there")
    path = srvs.hNetrShareGetInfo(dce, args.share + "\0", 2)["InfoStruct"]["ShareInfo2"]["shi2_path"]
    check(srvs.hNetrShareCheck(dce, path)["Type"] == 0, "NetrShareCheck")
    check(error_of(srvs.hNetrShareDel, dce, args.share + "\0") in (ACCESS_DENIED, NOT_SUPPORTED),
          "NetrShareDel was not refused")


def test_server(dce):
    info = {level: srvs.hNetrServerGetInfo(dce, level)["InfoStruct"][f"ServerInfo{level}"] for level in (100, 101, 102)}
    name = text(info[100]["sv100_name"])
    check(name and name == text(info[101]["sv101_name"]) == text(info[102]["sv102_name"]), "server name")
    check(info[101]["sv101_platform_id"] == 500, "platform")
    check(info[101]["sv101_type"] & 0x2, "SV_TYPE_SERVER")
    check(info[101]["sv101_version_major"] >= 6, "version")
    answer = srvs.hNetrRemoteTOD(dce)["BufferPtr"]
    check(abs(answer["tod_elapsedt"] - time.time()) < 60, "time of day")
    disks = srvs.hNetrServerDiskEnum(dce, 0)
    check(disks["TotalEntries"] == 1, "disks")


def test_usage(dce):
    """Who uses the server: everything for administrators, nothing for others."""
    results = {
        error_of(srvs.hNetrSessionEnum, dce, NULL, NULL, 10),
        error_of(srvs.hNetrSessionEnum, dce, NULL, NULL, 502),
        error_of(srvs.hNetrFileEnum, dce, NULL, NULL, 3),
        error_of(srvs.hNetrConnectionEnum, dce, "IPC$\0", 1),
    }
    check(results in ({0}, {ACCESS_DENIED}), f"sessions, files, connections: {results}")
    return results == {0}


def test_workstation(args, administrator):
    with Service(args, "wkssvc", wkst.MSRPC_UUID_WKST) as dce:
        info = wkst.hNetrWkstaGetInfo(dce, 100)["WkstaInfo"]["WkstaInfo100"]
        check(info["wki100_platform_id"] == 500, "workstation platform")
        check(text(info["wki100_computername"]) != "", "workstation name")
        wkst.hNetrWkstaGetInfo(dce, 101)
        expected = 0 if administrator else ACCESS_DENIED
        check(error_of(wkst.hNetrWkstaGetInfo, dce, 102) == expected, "workstation level 102")
        check(error_of(wkst.hNetrWkstaUserEnum, dce, 0) == expected, "workstation users")
        check(wkst.hNetrWkstaTransportEnum(dce, 0)["TotalEntries"] == 1, "workstation transports")


def test_protection(args):
    """Binds that authenticate themselves, and calls under their protection."""
    for level in (RPC_C_AUTHN_LEVEL_CONNECT, RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
        with srvsvc(args, level) as dce:
            for _ in range(3):
                check(args.share in shares_at(dce, 1), f"shares at authentication level {level}")
        with Service(args, "lsarpc", lsad.MSRPC_UUID_LSAD, level) as dce:
            handle = lsad.hLsarOpenPolicy2(dce)["PolicyHandle"]
            lsad.hLsarClose(dce, handle)
    credentials = transport.SMBTransport(args.host, username=args.user, password="wrong" + args.password)
    other = transport.SMBTransport(args.host, dstport=args.port, filename="\\srvsvc", username=args.user,
                                   password=args.password, remote_host=args.host)
    dce = other.get_dce_rpc()
    dce.connect()
    dce.set_credentials(*credentials.get_credentials())
    dce.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)
    refused = False
    try:
        dce.bind(srvs.MSRPC_UUID_SRVS)
        srvs.hNetrShareEnum(dce, 1)
    except (DCERPCException, SessionError):
        refused = True
    check(refused, "a bind with a wrong password was served")


def test_pipes(args):
    """The pipe underneath: names, and messages that are read in pieces."""
    connection = SMBConnection(args.host, args.host, sess_port=args.port)
    connection.login(args.user, args.password)
    tree = connection.connectTree("IPC$")
    for name in ("no such pipe", "srvsvc\\x", "..\\srvsvc", "../../tmp/x"):
        try:
            connection.openFile(tree, name)
            check(False, f"pipe {name!r} was opened")
        except SessionError as error:
            check(error.getErrorCode() != 0, name)
    for name in ("srvsvc", "SrvSvc", "wkssvc"):
        connection.closeFile(tree, connection.openFile(tree, name))
    try:
        connection.openFile(tree, "no such pipe")
    except SessionError as error:
        check(error.getErrorCode() == OBJECT_NAME_NOT_FOUND, f"status {error.getErrorCode():#x} for an unknown pipe")

    handle = connection.openFile(tree, "srvsvc")
    bind = bytes.fromhex("05000b031000000048000000010000" "00b810b810000000000100000000000100"
                         "c84f324b7016d30112785a47bf6ee18803000000045d888aeb1cc9119fe808002b10486002000000")
    connection.writeFile(tree, handle, bind)
    # impacket takes the warning for an error, and drops the ten bytes.
    try:
        connection.readFile(tree, handle, 0, 10, singleCall=True)
        check(False, "a read too short for its message gave no STATUS_BUFFER_OVERFLOW")
    except SessionError as error:
        check(error.getErrorCode() == BUFFER_OVERFLOW, f"a short read: {error.getErrorCode():#x}")
    rest = connection.readFile(tree, handle, 0, 4280, singleCall=True)
    check(len(rest) == 68 - 10 and rest[16:28] == b"\\PIPE\\srvsvc", f"the rest of a bind_ack: {rest.hex()}")
    connection.closeFile(tree, handle)
    connection.logoff()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=445)
    parser.add_argument("--share", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    args = parser.parse_args()

    with srvsvc(args) as dce:
        test_share_enum(args, dce)
        test_resume(dce)
        test_share_get_info(args, dce)
        test_server(dce)
        administrator = test_usage(dce)
    test_workstation(args, administrator)
    test_protection(args)
    test_pipes(args)
    print(f"{len(FAILURES)} failures" if FAILURES else "all as expected", flush=True)
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
