"""A small tree of files that is awkward in the usual ways, and comparing trees by checksum."""
import hashlib
import os
import random

NAMES = ["plain", "with space", "ümläut", "日本語", "a" * 120, "UPPER", "dots.in.name", "percent%41", "semi;colon",
         "amper&sand", "quote'quote", "[brackets]", "(parens)", "#hash", "comma,comma", "tilde~1", "$dollar", "emoji😀"]
SIZES = [0, 1, 511, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, (1 << 20) + 3]


def make(root, large=9 << 20):
    """Writes the tree; returns the number of files."""
    source = random.Random(1)
    count = 0
    for depth, folder in enumerate(["", "one", "one/two", "one/two/three", "other dir", "ordner-ä"]):
        directory = os.path.join(root, folder)
        os.makedirs(directory, exist_ok=True)
        for index, name in enumerate(NAMES):
            size = SIZES[(index + depth) % len(SIZES)] if depth < 3 else index * 37
            with open(os.path.join(directory, f"{name}.dat"), "wb") as file:
                file.write(source.randbytes(size))
            count += 1
    with open(os.path.join(root, "large.bin"), "wb") as file:
        file.write(source.randbytes(large + 5))
    os.makedirs(os.path.join(root, "empty dir"), exist_ok=True)
    many = os.path.join(root, "many")
    os.makedirs(many, exist_ok=True)
    for index in range(300):
        with open(os.path.join(many, f"file {index:04d}"), "wb") as file:
            file.write(b"%d" % index)
    return count + 301


def sums(root):
    """Path -> checksum of every file, and the directories."""
    found = {}
    for directory, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(os.path.join(directory, name), root)] = "directory"
        for name in files:
            path = os.path.join(directory, name)
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            found[os.path.relpath(path, root)] = digest.hexdigest()
    return found


def difference(one, other):
    """A few lines that say what differs; empty if nothing does."""
    left, right = sums(one), sums(other)
    lines = [f"only in {one}: {p}" for p in sorted(left.keys() - right.keys())]
    lines += [f"only in {other}: {p}" for p in sorted(right.keys() - left.keys())]
    lines += [f"differs: {p}" for p in sorted(left.keys() & right.keys()) if left[p] != right[p]]
    return "\n".join(lines[:10])
