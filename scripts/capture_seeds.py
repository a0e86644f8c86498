#!/usr/bin/env python3
"""Takes fuzz seeds from real traffic: a proxy between clients and a server, that sorts what passes by fuzz target.

    scripts/capture_seeds.py LISTEN_PORT SERVER_PORT OUT

Run clients against LISTEN_PORT (unencrypted but for a few, so that there is something to see), then stop it with
SIGTERM: it writes OUT/TARGET/NAME, at most 20 a target, each of another shape (command, structure, size).
"""
import asyncio
import os
import signal
import struct
import sys

MOST = 20
FOUND = {}  # target -> shape -> bytes
NTLM = b"NTLMSSP\0"
WRITE, IOCTL, CREATE, SESSION_SETUP, NEGOTIATE = 9, 11, 5, 1, 0


def keep(target, shape, data):
    seeds = FOUND.setdefault(target, {})
    if shape not in seeds and len(seeds) < MOST and 0 < len(data) <= 4096:
        seeds[shape] = bytes(data)


def field(part, at):
    """A (16-bit offset, 16-bit length) pair."""
    offset, length = struct.unpack_from("<HH", part, at)
    return part[offset:offset + length]


def sort_request(part):
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
    elif command in (WRITE, IOCTL):
        if command == WRITE:
            length, = struct.unpack_from("<I", part, 64 + 4)
            offset, = struct.unpack_from("<H", part, 64 + 2)
        else:
            offset, length = struct.unpack_from("<II", part, 64 + 24)
        data = part[offset:offset + length]
        if data[:2] == b"\x05\x00" and len(data) >= 16:  # a DCE/RPC PDU
            keep("rpc", (data[2], length // 16), b"\x80\x10" + data)


def sort_message(message):
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
            sort_request(part)
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
        await asyncio.gather(frames(reader, there_writer, sort_message),
                             frames(there_reader, writer, lambda message: None))

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
