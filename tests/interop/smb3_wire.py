"""A small SMB 3.0.2 client for tests of handles: NTLMv2, no signing, the standard library only.

It knows what a client of a continuously available share does: persistent handles with leases, locks, write-through
writes, reconnecting.  One request at a time; notifications (lease breaks) are kept in `breaks`."""
import hashlib
import hmac
import os
import socket
import struct
import time

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, CREATE, CLOSE, READ, WRITE, LOCK, QUERY_DIRECTORY, SET_INFO, \
    OPLOCK_BREAK = 0, 1, 2, 3, 5, 6, 8, 9, 10, 14, 17, 18
SUCCESS, PENDING, MORE_PROCESSING = 0, 0x103, 0xC0000016
OBJECT_NAME_NOT_FOUND, LOCK_NOT_GRANTED, SHARING_VIOLATION = 0xC0000034, 0xC0000055, 0xC0000043
FILE_NOT_AVAILABLE, NO_MORE_FILES, END_OF_FILE = 0xC0000467, 0x80000006, 0xC0000011
DELETE_PENDING, FILE_LOCK_CONFLICT = 0xC0000056, 0xC0000054
CAP_LEASING, CAP_LARGE_MTU, CAP_PERSISTENT, CAP_DIRECTORY_LEASING = 0x02, 0x04, 0x10, 0x20
LEASE_R, LEASE_H, LEASE_W = 1, 2, 4
LOCK_SHARED, LOCK_EXCLUSIVE, UNLOCK, FAIL_IMMEDIATELY = 1, 2, 4, 0x10
REPLAY = 0x20000000


class Lost(Exception):
    """The connection ended: nobody knows whether the request was carried out."""


class Refused(Exception):
    def __init__(self, what, status):
        super().__init__(f"{what}: {status:#010x}")
        self.status = status


def md4(data):
    """[RFC 1320]: OpenSSL 3 no longer has it by default."""
    def rotate(value, bits):
        return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF
    length = struct.pack("<Q", 8 * len(data))
    data += b"\x80" + b"\0" * ((55 - len(data)) % 64) + length
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    rounds = [(lambda x, y, z: (x & y) | (~x & z), 0, list(range(16)), (3, 7, 11, 19)),
              (lambda x, y, z: (x & y) | (x & z) | (y & z), 0x5A827999,
               [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], (3, 5, 9, 13)),
              (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1,
               [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], (3, 9, 11, 15))]
    for at in range(0, len(data), 64):
        words = struct.unpack("<16I", data[at:at + 64])
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for step, index in enumerate(order):
                a = rotate((a + (mix(b, c, d) & 0xFFFFFFFF) + words[index] + constant) & 0xFFFFFFFF,
                           shifts[step % 4])
                a, b, c, d = d, a, b, c
        state = [(x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def ntlm_negotiate():
    return b"NTLMSSP\0" + struct.pack("<II", 1, 0xA0080205) + b"\0" * 16


def ntlm_authenticate(challenge, user, password):
    """[MS-NLMP] 3.3.2, without a MIC: the challenge's target information has no timestamp that would ask for one, or
    it is left out here."""
    server_challenge = challenge[24:32]
    length, _, offset = struct.unpack("<HHI", challenge[40:48])
    pairs, info = b"", challenge[offset:offset + length]
    while len(info) >= 4:
        kind, size = struct.unpack("<HH", info[:4])
        if kind == 0:
            break
        if kind != 7:
            pairs += info[:4 + size]
        info = info[4 + size:]
    pairs += b"\0" * 4
    key = hmac.new(md4(password.encode("utf-16-le")), user.upper().encode("utf-16-le"), hashlib.md5).digest()
    now = struct.pack("<Q", int((time.time() + 11644473600) * 10000000))
    blob = b"\x01\x01" + b"\0" * 6 + now + os.urandom(8) + b"\0" * 4 + pairs + b"\0" * 4
    response = hmac.new(key, server_challenge + blob, hashlib.md5).digest() + blob
    name = user.encode("utf-16-le")
    fields, payload = b"", b""
    for part in (b"\0" * 24, response, b"", name, b"", b""):
        fields += struct.pack("<HHI", len(part), len(part), 64 + len(payload))
        payload += part
    return b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", 0xA0080205) + payload


def context(name, data):
    """One create context without Next; both parts of names here are 4 bytes."""
    return struct.pack("<HHHHI", 16, len(name), 0, 24, len(data)) + name + b"\0" * 4 + data


def contexts(items):
    out = b""
    for index, (name, data) in enumerate(items):
        one = context(name, data)
        last = index + 1 == len(items)
        padded = one + b"\0" * (-(len(one) + 4) % 8)
        out += struct.pack("<I", 0 if last else 4 + len(padded)) + (one if last else padded)
    return out


def parse_contexts(data):
    found = {}
    while data:
        step, name_at, name_size, _, at, size = struct.unpack("<IHHHHI", data[:16])
        found[data[name_at:name_at + name_size]] = data[at:at + size]
        if step == 0:
            break
        data = data[step:]
    return found


class Connection:
    """A connection with a session and a tree."""

    def __init__(self, port, client_guid, user, password, share, timeout=30, more_capabilities=0):
        self.client_guid = client_guid
        self.session = self.tree = self.message_id = 0
        self.breaks = []
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Lost(str(error)) from error
        body = struct.pack("<HHHHI16sQ", 36, 1, 1, 0, CAP_LEASING | CAP_LARGE_MTU | CAP_PERSISTENT | more_capabilities,
                           client_guid, 0)
        answer = self.call(NEGOTIATE, body + struct.pack("<H", 0x0302))
        self.capabilities = struct.unpack("<I", answer[24:28])[0]
        challenge = self._setup(ntlm_negotiate(), MORE_PROCESSING)
        self._setup(ntlm_authenticate(challenge, user, password), SUCCESS)
        path = f"\\\\127.0.0.1\\{share}".encode("utf-16-le")
        answer = self.call(TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, len(path)) + path)
        self.share_capabilities = struct.unpack("<I", answer[8:12])[0]

    def _setup(self, token, wanted):
        body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token
        answer = self.call(SESSION_SETUP, body, wanted=wanted)
        at, size = struct.unpack("<HH", answer[4:8])
        return answer[at - 64:at - 64 + size]

    def close(self):
        self.socket.close()

    def call(self, command, body, flags=0, wanted=SUCCESS, charge=1):
        return self.wait(self.send(command, body, flags, charge), command, wanted)

    def send(self, command, body, flags=0, charge=1):
        """The message id, for wait()."""
        header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, charge, 0, command, 64, flags, 0, self.message_id,
                             0xFEFF, self.tree, self.session, b"")
        message_id = self.message_id
        self.message_id += charge
        try:
            self.socket.sendall(struct.pack(">I", 64 + len(body)) + header + body)
        except OSError as error:
            raise Lost(str(error)) from error
        return message_id

    def wait(self, message_id, command, wanted=SUCCESS):
        try:
            while True:
                header, answer = self._receive()
                status, = struct.unpack("<I", header[8:12])
                if struct.unpack("<Q", header[24:32])[0] != message_id:
                    self.breaks.append(answer)
                elif status != PENDING:
                    break
        except OSError as error:
            raise Lost(str(error)) from error
        if status != wanted:
            raise Refused(f"command {command}", status)
        if command == SESSION_SETUP:
            self.session, = struct.unpack("<Q", header[40:48])
        if command == TREE_CONNECT:
            self.tree, = struct.unpack("<I", header[36:40])
        return answer

    def wait_break(self, seconds):
        """The next notification as (lease key, from, to, must it be acknowledged); None: none came."""
        if not self.breaks:
            self.socket.settimeout(seconds)
            try:
                self.breaks.append(self._receive()[1])
            except TimeoutError:
                return None
            finally:
                self.socket.settimeout(30)
        _, _, flags, key, before, after = struct.unpack("<HHI16sII", self.breaks.pop(0)[:32])
        return key, before, after, bool(flags & 1)

    def next_break(self):
        """The next break notification, waited for: (lease key, new state)."""
        try:
            while not self.breaks:
                self.breaks.append(self._receive()[1])
        except OSError as error:
            raise Lost(str(error)) from error
        notice = self.breaks.pop(0)
        return notice[8:24], struct.unpack("<I", notice[28:32])[0]

    def _receive(self):
        size, = struct.unpack(">I", self._exactly(4))
        message = self._exactly(size)
        return message[:64], message[64:]

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise Lost("end of the connection")
            data += part
        return data

    # -- files
    def create(self, name, wanted_contexts, disposition=3, access=0x0012019F, share=7, options=0x40, oplock=0xFF,
               flags=0):
        """(FileId, {context: data}, CreateAction)"""
        return self.created(self.send_create(name, wanted_contexts, disposition, access, share, options, oplock, flags))

    def send_create(self, name, wanted_contexts, disposition=3, access=0x0012019F, share=7, options=0x40, oplock=0xFF,
                    flags=0):
        wide = name.encode("utf-16-le")
        list_of_contexts = contexts(wanted_contexts)
        padding = b"\0" * (-len(wide) % 8)
        at = 120 + len(wide) + len(padding)
        body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, oplock, 2, 0, 0, access, 0, share, disposition, options, 120,
                           len(wide), at if list_of_contexts else 0, len(list_of_contexts))
        return self.send(CREATE, body + wide + padding + list_of_contexts, flags)

    def created(self, message_id):
        answer = self.wait(message_id, CREATE)
        action, = struct.unpack("<I", answer[4:8])
        at, size = struct.unpack("<II", answer[80:88])
        return answer[64:80], parse_contexts(answer[at - 64:at - 64 + size] if size else b""), action

    def close_file(self, file_id):
        self.call(CLOSE, struct.pack("<HHI16s", 24, 0, 0, file_id))

    def set_info(self, file_id, info_class, data):
        self.call(SET_INFO, struct.pack("<HBBIHHI16s", 33, 1, info_class, len(data), 96, 0, 0, file_id) + data)

    def delete_on_close(self, file_id, wanted=True):
        self.set_info(file_id, 13, b"\1" if wanted else b"\0")

    def rename(self, file_id, name):
        wide = name.encode("utf-16-le")
        data = struct.pack("<B7xQI", 0, 0, len(wide)) + wide
        self.set_info(file_id, 10, data + b"\0" * max(0, 24 - len(data)))

    def write(self, file_id, offset, data):
        body = struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, 1)  # WRITE_THROUGH
        self.call(WRITE, body + data, charge=max(1, (len(data) + 65535) // 65536))

    def read(self, file_id, offset, length):
        body = struct.pack("<HBBIQ16sIIIHHB", 49, 0, 0, length, offset, file_id, 0, 0, 0, 0, 0, 0)
        try:
            answer = self.call(READ, body)
        except Refused as refusal:
            if refusal.status != END_OF_FILE:
                raise
            return b""
        size, = struct.unpack("<I", answer[4:8])
        return answer[16:16 + size]

    def names(self, file_id):
        """What QUERY_DIRECTORY lists: FileNamesInformation."""
        found, flags = [], 1                                             # RESTART_SCANS
        while True:
            body = struct.pack("<HBBI16sHHI", 33, 12, flags, 0, file_id, 96, 2, 65536) + "*".encode("utf-16-le")
            try:
                answer = self.call(QUERY_DIRECTORY, body)
            except Refused as refusal:
                if refusal.status != NO_MORE_FILES:
                    raise
                return found
            flags, entries = 0, answer[8:]
            while True:
                step, _, size = struct.unpack("<III", entries[:12])
                found.append(entries[12:12 + size].decode("utf-16-le"))
                if step == 0:
                    break
                entries = entries[step:]

    def lock(self, file_id, offset, length, flags, sequence=0):
        self.call(LOCK, struct.pack("<HHI16sQQII", 48, 1, sequence, file_id, offset, length, flags, 0))

    def acknowledge_lease(self, key, state):
        self.call(OPLOCK_BREAK, struct.pack("<HHI16sIQ", 36, 0, 0, key, state, 0))


# -- create contexts
def durable_v2(create_guid, persistent=True, timeout=0):
    return b"DH2Q", struct.pack("<IIQ16s", timeout, 2 if persistent else 0, 0, create_guid)


def reconnect_v2(file_id, create_guid, persistent=True):
    return b"DH2C", struct.pack("<16s16sI", file_id, create_guid, 2 if persistent else 0)


def lease_v2(key, state, epoch=0):
    return b"RqLs", struct.pack("<16sIIQ16sHH", key, state, 0, 0, b"", epoch, 0)


def lease_state(found):
    return struct.unpack("<I", found[b"RqLs"][16:20])[0]
