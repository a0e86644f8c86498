#!/usr/bin/env python3
"""Takes fuzz seeds from real traffic: a proxy between clients and a server, that sorts what passes by fuzz target.

    scripts/capture_seeds.py LISTEN_PORT SERVER_PORT OUT

Run clients against LISTEN_PORT (unencrypted but for a few, so that there is something to see), then stop it with
SIGTERM: it writes OUT/TARGET/NAME, at most 20 a target, each of another shape (command, structure, size).
"""
import asyncio
import os
import re
import signal
import struct
import sys

MOST = 20
FOUND = {}  # target -> shape -> bytes
NTLM = b"NTLMSSP\0"
WRITE, IOCTL, QUERY_DIRECTORY, QUERY_INFO, SET_INFO, CREATE, SESSION_SETUP, NEGOTIATE = 9, 11, 14, 16, 17, 5, 1, 0
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What is in a SET_INFO request of a class, and in an IOCTL request of a code.
FILE_CLASSES = {4: "FileBasicInformation", 10: "FileRenameInformation", 13: "FileDispositionInformation",
                19: "FileAllocationInformation", 20: "FileEndOfFileInformation", 64: "FileDispositionInformationEx",
                65: "FileRenameInformationEx", 15: "FileFullEaInformation"}
FSCTLS = {0x140204: "ValidateNegotiateInfoRequest", 0x1401D4: "NetworkResiliencyRequest",
          0x900C4: "FileSetSparseBuffer", 0x980C8: "FileZeroDataInformation", 0x940CF: "FileAllocatedRangeBuffer",
          0x1440F2: "SrvCopychunkCopy", 0x1480F2: "SrvCopychunkCopy"}
PIPES = ["srvsvc", "wkssvc", "lsarpc"]


def structures():
    """The places of fscc's structures in its type lists, by which fuzz_info selects one."""
    with open(os.path.join(TOP, "src", "fscc", "structure_list.h"), encoding="utf-8") as file:
        lists = re.findall(r"wire::TypeList<([^>]*)>", file.read())
    return {name: index for index, name in enumerate(re.findall(r"\w+", " ".join(lists)))}


STRUCTURES = structures()


def keep(target, shape, data):
    seeds = FOUND.setdefault(target, {})
    if shape not in seeds and len(seeds) < MOST and 0 < len(data) <= 4096:
        seeds[shape] = bytes(data)


def field(part, at):
    """A (16-bit offset, 16-bit length) pair."""
    offset, length = struct.unpack_from("<HH", part, at)
    return part[offset:offset + length]


def keep_structure(name, data):
    if name in STRUCTURES:
        keep("info", (name, len(data) // 8), bytes([STRUCTURES[name]]) + data)


def keep_name(wide):
    """fuzz_fsa_names: the size of the expression, which comes first, in characters."""
    if wide:
        keep("fsa_names", len(wide) // 6, bytes([min(255, len(wide) // 2)]) + wide + wide)


def keep_call(pipe, pdu):
    """fuzz_ndr: interface, operation, flags, stub."""
    if pdu[2] == 0 and pipe in PIPES:
        operation, = struct.unpack_from("<H", pdu, 22)
        keep("ndr", (pipe, operation, len(pdu) // 32), bytes([PIPES.index(pipe), operation & 0xFF, 0]) + pdu[24:])


def sort_request(part, opened):
    command, = struct.unpack_from("<H", part, 12)
    if command > 18 or len(part) < 68:
        return
    shape = (command, len(part) // 16)
    keep("requests", (command, len(part) // 64), bytes([command]) + part)
    if command == NEGOTIATE:
        keep("negotiate_contexts", shape, part[64:])
    elif command == SESSION_SETUP:
        token = field(part, 64 + 12)
        keep("spnego", (token[:1], len(token) // 32), token)
        if NTLM in token:
            keep("ntlm", token[token.index(NTLM):][8:12] + bytes([len(token) // 64]), token[token.index(NTLM):])
    elif command == CREATE:
        offset, length = struct.unpack_from("<II", part, 64 + 48)
        keep("create_contexts", length, part[offset:offset + length])
        name = field(part, 64 + 44)
        keep_name(name)
        opened["pipe"] = name.decode("utf-16-le", "replace").strip("\\").lower()
    elif command == QUERY_DIRECTORY:
        keep_name(field(part, 64 + 24))
    elif command == SET_INFO:
        kind, info_class, length, offset = struct.unpack_from("<BBIH", part, 64 + 2)
        data = part[offset:offset + length]
        if kind == 1 and info_class in FILE_CLASSES:
            keep_structure(FILE_CLASSES[info_class], data)
            if info_class in (10, 65):
                keep_name(data[20:])
        elif kind == 3:
            keep("security_descriptor", len(data) // 8, data)
    elif command in (WRITE, IOCTL):
        if command == WRITE:
            length, = struct.unpack_from("<I", part, 64 + 4)
            offset, = struct.unpack_from("<H", part, 64 + 2)
        else:
            offset, length = struct.unpack_from("<II", part, 64 + 24)
            code, = struct.unpack_from("<I", part, 64 + 4)
            if code in FSCTLS:
                keep_structure(FSCTLS[code], part[offset:offset + length])
        data = part[offset:offset + length]
        if data[:2] == b"\x05\x00" and len(data) >= 16:  # a DCE/RPC PDU
            keep("rpc", (data[2], length // 16), b"\x80\x10" + data)
            keep_call(opened.get("pipe"), data)


def sort_response(message):
    """Security descriptors are asked for more often than they are set."""
    if message[:4] != b"\xfeSMB" or len(message) < 72:
        return
    status, command = struct.unpack_from("<IH", message, 8)
    if command == QUERY_INFO and status == 0:
        offset, length = struct.unpack_from("<HI", message, 64 + 2)
        data = message[offset:offset + length]
        # Self-relative, its owner after the header or an ACL.
        if len(data) >= 20 and data[0] == 1 and data[3] & 0x80:
            keep("security_descriptor", len(data) // 8, data)


def sort_message(message, opened):
    if message[:4] == b"\xfdSMB":
        keep("transform", len(message) // 64, message)
    if message[:4] == b"\xffSMB":
        keep("compound", "smb1", message)
    if message[:4] != b"\xfeSMB":
        return
    shape, at = [], 0
    while at + 64 <= len(message):
        following, = struct.unpack_from("<I", message, at + 20)
        part = message[at:at + following] if following else message[at:]
        shape.append(part[12])
        try:
            sort_request(part, opened)
        except struct.error:
            pass
        if not following:
            break
        at += following
    keep("compound", tuple(shape), message)


async def frames(reader, writer, sort):
    try:
        while True:
            header = await reader.readexactly(4)
            message = await reader.readexactly(int.from_bytes(header[1:], "big"))
            sort(message)
            writer.write(header + message)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(listen, server):
    async def accepted(reader, writer):
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server)
        opened = {}
        await asyncio.gather(frames(reader, there_writer, lambda message: sort_message(message, opened)),
                             frames(there_reader, writer, sort_response))

    proxy = await asyncio.start_server(accepted, "127.0.0.1", listen)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    proxy.close()


def main():
    listen, server, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    asyncio.run(serve(listen, server))
    for target, seeds in FOUND.items():
        os.makedirs(os.path.join(out, target), exist_ok=True)
        for index, data in enumerate(seeds.values()):
            with open(os.path.join(out, target, f"captured_{index:02}"), "wb") as file:
                file.write(data)
        print(f"{target}: {len(seeds)}")


main()
