#!/usr/bin/env python3
"""Collects the citations of specifications from the sources: which files deal with which section.

    scripts/spec_map.py            writes docs/spec_map.md
    scripts/spec_map.py --check    exit code 1 if docs/spec_map.md is not what it would write

A citation is "[MS-SMB2] 3.3.5.9", also with more sections behind it ("2.2.13.2, 3.3.5.9.1", "3.3.5.15.3, .4, .10"); a
number of three parts or more without a document belongs to the one that the file cited last.  The map has no line
numbers, so that it changes when a citation comes or goes, and not with every edit.
"""
import os
import re
import sys
from collections import defaultdict

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAP = os.path.join(TOP, "docs", "spec_map.md")
FOLDERS = ("include", "src", "vfs_posix", "transport", "tests")
DIALECTS = {"2.0.2", "3.0.2", "3.1.1"}  # bare, these are dialects

# [MS-SMB2] 3.3.5: what a server does with what it receives, without clustering and shared virtual disks.
SERVER_SECTIONS = {
    "3.3.5.1": "accepting an incoming connection",
    "3.3.5.2": "receiving any message",
    "3.3.5.2.1": "decrypting or decompressing",
    "3.3.5.2.1.1": "decrypting the message",
    "3.3.5.2.1.2": "decompressing the message",
    "3.3.5.2.2": "verifying the connection state",
    "3.3.5.2.3": "verifying the sequence number",
    "3.3.5.2.4": "verifying the signature",
    "3.3.5.2.5": "verifying the credit charge and the payload size",
    "3.3.5.2.6": "incorrectly formatted requests",
    "3.3.5.2.7": "compounded requests",
    "3.3.5.2.7.1": "compounded unrelated requests",
    "3.3.5.2.7.2": "compounded related requests",
    "3.3.5.2.8": "updating idle time",
    "3.3.5.2.9": "verifying the session",
    "3.3.5.2.10": "verifying the channel sequence number",
    "3.3.5.2.11": "verifying the tree connect",
    "3.3.5.3": "SMB_COM_NEGOTIATE",
    "3.3.5.3.1": "SMB_COM_NEGOTIATE, SMB 2.1 and newer",
    "3.3.5.3.2": "SMB_COM_NEGOTIATE, SMB 2.0.2",
    "3.3.5.4": "NEGOTIATE",
    "3.3.5.5": "SESSION_SETUP",
    "3.3.5.5.1": "authenticating a new session",
    "3.3.5.5.2": "reauthenticating a session",
    "3.3.5.5.3": "GSS-API authentication",
    "3.3.5.6": "LOGOFF",
    "3.3.5.7": "TREE_CONNECT",
    "3.3.5.8": "TREE_DISCONNECT",
    "3.3.5.9": "CREATE",
    "3.3.5.9.1": "create context: extended attributes",
    "3.3.5.9.2": "create context: security descriptor",
    "3.3.5.9.3": "create context: allocation size",
    "3.3.5.9.4": "create context: timewarp token",
    "3.3.5.9.5": "create context: query maximal access",
    "3.3.5.9.6": "create context: durable handle request",
    "3.3.5.9.7": "create context: durable handle reconnect",
    "3.3.5.9.8": "create context: lease",
    "3.3.5.9.9": "create context: query on-disk id",
    "3.3.5.9.10": "create context: durable handle request v2",
    "3.3.5.9.11": "create context: lease v2",
    "3.3.5.9.12": "create context: durable handle reconnect v2",
    "3.3.5.9.13": "create context: application instance id and version",
    "3.3.5.10": "CLOSE",
    "3.3.5.11": "FLUSH",
    "3.3.5.12": "READ",
    "3.3.5.13": "WRITE",
    "3.3.5.14": "LOCK",
    "3.3.5.14.1": "LOCK: unlocks",
    "3.3.5.14.2": "LOCK: locks",
    "3.3.5.15": "IOCTL",
    "3.3.5.15.1": "IOCTL: enumeration of previous versions",
    "3.3.5.15.2": "IOCTL: DFS referrals",
    "3.3.5.15.3": "IOCTL: pipe transaction",
    "3.3.5.15.4": "IOCTL: pipe peek",
    "3.3.5.15.5": "IOCTL: source file key",
    "3.3.5.15.6": "IOCTL: server-side copy",
    "3.3.5.15.7": "IOCTL: content information",
    "3.3.5.15.8": "IOCTL: pass-through",
    "3.3.5.15.9": "IOCTL: resiliency",
    "3.3.5.15.10": "IOCTL: pipe wait",
    "3.3.5.15.11": "IOCTL: network interfaces",
    "3.3.5.15.12": "IOCTL: validate negotiate info",
    "3.3.5.15.13": "IOCTL: set reparse point",
    "3.3.5.15.14": "IOCTL: file level trim",
    "3.3.5.16": "CANCEL",
    "3.3.5.17": "ECHO",
    "3.3.5.18": "QUERY_DIRECTORY",
    "3.3.5.19": "CHANGE_NOTIFY",
    "3.3.5.20": "QUERY_INFO",
    "3.3.5.20.1": "QUERY_INFO: file",
    "3.3.5.20.2": "QUERY_INFO: file system",
    "3.3.5.20.3": "QUERY_INFO: security",
    "3.3.5.20.4": "QUERY_INFO: quota",
    "3.3.5.21": "SET_INFO",
    "3.3.5.21.1": "SET_INFO: file",
    "3.3.5.21.2": "SET_INFO: file system",
    "3.3.5.21.3": "SET_INFO: security",
    "3.3.5.21.4": "SET_INFO: quota",
    "3.3.5.22": "OPLOCK_BREAK",
    "3.3.5.22.1": "acknowledging an oplock break",
    "3.3.5.22.2": "acknowledging a lease break",
}

TOKEN = re.compile(r"\[(MS-[A-Z0-9]+|C706)\]|\b(RFC) ?(\d{4})\b"   # a document
                   r"|(?<![\w.\"/])(\d+(?:\.\d+)+)(?![\w\"])"         # a section
                   r"|(?<=[,;] )\.(\d+)(?![\w.])")                    # one beside the last
SEPARATOR = re.compile(r"[\s,;]*(and|to|or|section)?[\s,;]*$")


def comments(text):
    """The text with everything but // comments and # comments blanked; a comment that goes on is one run."""
    lines = []
    for line in text.splitlines():
        match = (re.search(r"(?<!:)//+(.*)", line) or
                 re.match(r"\s*#(?!include|define|if|e|pragma|undef)(.*)", line))
        lines.append(match[1] if match else "")
    return "\n".join(lines)


def citations(text):
    """(document, section) of every citation in a file."""
    document = section = None
    end = -1  # where the last token ended: what follows directly is a list that goes on
    text = comments(text)
    for match in TOKEN.finditer(text):
        directly = end >= 0 and SEPARATOR.match(text[end:match.start()]) is not None
        named, rfc, number, found, suffix = match.groups()
        end = match.end()
        if named or rfc:
            document, section = named or f"RFC {number}", None
            continue
        if suffix:
            if not (directly and section):
                continue
            found = f"{section.rpartition('.')[0]}.{suffix}"
        elif not directly and (found.count(".") < 2 or found in DIALECTS):
            end = -1
            continue
        if document is None or int(found.split(".")[0]) > 30:
            end = -1
            continue
        section = found
        yield document, found


def sources():
    for folder in FOLDERS:
        for directory, folders, files in os.walk(os.path.join(TOP, folder)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".h", ".cpp", ".txt")) and "corpus" not in directory:
                    yield os.path.relpath(os.path.join(directory, name), TOP)


def in_order(section):
    return [int(part) for part in section.split(".")]


def generate():
    found = defaultdict(lambda: defaultdict(set))
    for path in sources():
        with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as file:
            for document, section in citations(file.read()):
                found[document][section].add(path)
    out = ["# Which file deals with which section", "",
           "Generated by `scripts/spec_map.py`; do not edit.  A file is named where it cites the section.", ""]
    cited = found["MS-SMB2"]
    out += ["## Sections of [MS-SMB2] 3.3.5 that nobody cites", "",
            "The rules of a section may be kept all the same; see `docs/release-notes.md` for what is not there.", ""]
    out += [f"- {section} {title}" for section, title in SERVER_SECTIONS.items()
            if not any(path.startswith("src/") for path in cited.get(section, ()))]
    unknown = [section for section in cited if section.startswith("3.3.5.") and section not in SERVER_SECTIONS]
    if unknown:
        out += ["", "Cited, but not in the script's table: " + ", ".join(sorted(unknown, key=in_order)) + "."]
    for document in sorted(found):
        out += ["", f"## [{document}]", "", "| section | files |", "|---|---|"]
        for section in sorted(found[document], key=in_order):
            title = SERVER_SECTIONS.get(section, "") if document == "MS-SMB2" else ""
            files = "<br>".join(f"`{path}`" for path in sorted(found[document][section]))
            out.append(f"| {section}{' ' + title if title else ''} | {files} |")
    return "\n".join(out) + "\n"


def main():
    text = generate()
    if sys.argv[1:] == ["--check"]:
        try:
            with open(MAP, encoding="utf-8") as file:
                same = file.read() == text
        except OSError:
            same = False
        if not same:
            print("docs/spec_map.md is not up to date: run scripts/spec_map.py")
        return 0 if same else 1
    if sys.argv[1:]:
        print(__doc__)
        return 2
    with open(MAP, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


sys.exit(main())
