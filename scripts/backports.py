#!/usr/bin/env python3
"""Prints an apt source for bookworm-backports on the mirror that apt uses for bookworm already.

Reads /etc/apt/sources.list.d/*.sources (deb822) and *.list (one line each) and takes the first entry
for the suite itself, so that no host name is written down here.
"""
import glob
import re
import sys

SUITE = "bookworm"


def deb822(path):
    with open(path, encoding="utf-8") as file:
        text = "\n".join(line for line in file.read().splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text):
        fields = {}
        name = None
        for line in paragraph.splitlines():
            if line[:1].isspace() and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        yield fields


def one_line(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.strip())
            if not match:
                continue
            options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
            yield {"types": "deb", "uris": match[2], "suites": match[3],
                   "components": match[4].split("#")[0], "signed-by": options.get("signed-by", "")}


def entries():
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        yield from deb822(path)
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list")):
        try:
            yield from one_line(path)
        except FileNotFoundError:
            pass


def main():
    for entry in entries():
        if entry.get("enabled", "yes").lower() in ("no", "false"):
            continue
        if "deb" not in entry.get("types", "").split() or SUITE not in entry.get("suites", "").split():
            continue
        print("Types: deb")
        print("URIs: " + entry["uris"].split()[0])
        print(f"Suites: {SUITE}-backports")
        print("Components: main")
        if entry.get("signed-by"):
            print("Signed-By: " + entry["signed-by"])
        return 0
    print(f"no apt source for the suite {SUITE} was found: is this Debian 12?", file=sys.stderr)
    return 1


sys.exit(main())
