#!/usr/bin/env python3
"""The house rules that a compiler does not check.

    tests/tidy/tidy.py [--all [--commits N]] [--only RULE]

Without --all: what needs no compiler (also a ctest).  --all adds clang-format, self-contained headers and
clang-tidy, with --commits only of what the last N commits have changed.  Ends with "N passed, N failed, N skipped": one
count a rule.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FOLDERS = ("include", "src", "vfs_posix", "transport", "tests")
MAX_COLUMNS = 100
MAX_LINES = 800
MAX_FUNCTION = 70

# What each folder may include of the others, besides itself and include/ (architecture, section 1).
MAY_INCLUDE = {
    "base": set(),
    "loop": {"base"},
    "dtyp": {"base"},
    "crypto": {"base"},
    "xca": {"base"},
    "wire": {"base", "dtyp"},
    "fscc": {"base", "dtyp", "wire"},
    "auth": {"base", "dtyp", "crypto", "wire"},
    "fsa": {"base", "dtyp"},
    "durable": {"base"},
    "pipe": {"base", "dtyp", "crypto", "wire", "auth"},
    "engine": {"base", "dtyp", "crypto", "xca", "wire", "fscc", "auth", "fsa", "durable"},
    "daemon": {"base", "loop", "crypto", "auth", "durable", "engine", "pipe", "vfs_posix", "transport"},
    "ctl": {"base", "auth", "daemon"},
}


def all_files():
    """What git knows or would add; without git, everything but build directories."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-co", "--exclude-standard", "-z"],
                         check=False, capture_output=True) if shutil.which("git") else None
    if git and git.returncode == 0:
        return git.stdout.decode().split("\0")
    found = []
    for directory, folders, files in os.walk(TOP):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "build"]
        found += [os.path.relpath(os.path.join(directory, name), TOP) for name in files]
    return found


def sources(*suffixes):
    return sorted(path for path in all_files()
                  if path.endswith(suffixes or "") and os.path.isfile(os.path.join(TOP, path)))


def code_files():
    return [path for path in sources(".h", ".cpp") if path.split("/")[0] in FOLDERS]


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def columns():
    for path in code_files() + sources(".py", ".cmake", "CMakeLists.txt"):
        limit = MAX_COLUMNS if path.endswith((".h", ".cpp")) else 120
        for number, line in enumerate(read(path).splitlines(), 1):
            if len(line) > limit:
                yield f"{path}:{number}: {len(line)} columns, more than {limit}"


def file_length():
    for path in code_files():
        lines = read(path).count("\n")
        if lines > MAX_LINES:
            yield f"{path}: {lines} lines, more than {MAX_LINES}: more than one thing lives in it"


def blank_literals(text):
    """Comments, strings and characters as blanks, so that braces and words in them do not count."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                         r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def is_function_head(words):
    """True if `words {` begins a function's body: there are parentheses, and nothing else explains the brace."""
    if re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$", words):
        return False
    return "(" in words and words[-1:] not in ("=", ",", "(", "{") and not re.search(r"=\s*\w*$", words)


def functions(text):
    """(name, first line, number of lines) of function bodies: braces at namespace or class level that follow ')'."""
    text = blank_literals(text)
    stack = []
    head = 0
    for match in re.finditer(r"[{};]", text):
        sign, at = match[0], match.start()
        before = text[head:at]
        if sign == "{":
            outer_is_code = any(kind == "code" for kind, *_ in stack)
            words = before.strip()
            if outer_is_code:
                stack.append(("inner",))
            elif not is_function_head(words):
                stack.append(("scope",))
            else:
                name = re.search(r"([~\w:<>]+)\s*\(", words)
                stack.append(("code", name[1] if name else "?", text.count("\n", 0, at) + 1))
            head = at + 1
        elif sign == "}":
            if stack:
                entry = stack.pop()
                if entry[0] == "code":
                    last = text.count("\n", 0, at) + 1
                    yield entry[1], entry[2], last - entry[2] + 1
            head = at + 1
        else:
            head = at + 1


def function_length():
    """Functions over 70 lines are listed in long_functions.txt with their length; the list may only shrink."""
    allowed = {}
    list_path = os.path.join(HERE, "long_functions.txt")
    with open(list_path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                path, name, lines = line.split()
                allowed[path, name] = int(lines)
    found = {}
    for path in code_files():
        for name, first, lines in functions(read(path)):
            if lines > MAX_FUNCTION:
                found[path, name] = lines
                limit = allowed.get((path, name), MAX_FUNCTION)
                if lines > limit:
                    yield f"{path}:{first}: {name} has {lines} lines, more than {limit}"
    for (path, name), lines in allowed.items():
        now = found.get((path, name), 0)
        if now < lines:
            yield f"long_functions.txt: {path} {name} has {now or 'no more than 70'} lines now: shorten the list"


def include_direction():
    for path in code_files():
        parts = path.split("/")
        if parts[0] == "tests":
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match[1].split("/")[0]
            if target == "smb3d" or "/" not in match[1]:
                continue
            if parts[0] == "src":
                allowed = MAY_INCLUDE.get(parts[1])
                if allowed is None:
                    yield f"{path}: src/{parts[1]} is not in tidy's table of folders"
                    break
                if target != parts[1] and target not in allowed:
                    yield f"{path}:{number}: src/{parts[1]} may not include {match[1]}"
            elif parts[0] == "include":
                yield f"{path}:{number}: include/ may include nothing but smb3d/ and the standard library"
            elif not match[1].startswith("/".join(parts[:-1])) and target != parts[0]:
                yield f"{path}:{number}: {parts[0]} may include smb3d/ and itself only, not {match[1]}"


# (rule, folders, pattern, what to do, files that may)
PATTERNS = (
    ("bare mutex", ("src", "vfs_posix", "transport"), r"\bstd::(recursive_|shared_|timed_)?mutex\s+\w+",
     "use Guarded of base/guarded.h", {"src/base/guarded.h", "vfs_posix/locked.h"}),
    ("memcmp of secrets", ("src/crypto", "src/engine", "src/auth", "src/pipe"), r"\b(std::)?memcmp\s*\(",
     "compare tags and hashes with CRYPTO_memcmp, other bytes with std::ranges::equal", set()),
    ("dead code", FOLDERS, r"^\s*#\s*if\s+0\b", "remove it: git remembers", set()),
    ("thread-local state", ("src", "vfs_posix", "transport"), r"^\s*(static\s+)?thread_local\b",
     "identity and state are arguments", {"src/base/guarded.cpp", "src/base/buffer_pool.cpp",
                                          "vfs_posix/identity.cpp", "src/engine/task.cpp"}),
    ("heavy header", ("include", "src", "vfs_posix", "transport"), r"#\s*include\s+<(iostream|regex)>",
     "it costs every translation unit", set()),
)


def patterns():
    for rule, folders, pattern, advice, exempt in PATTERNS:
        for path in code_files():
            if path in exempt or not path.startswith(tuple(folder + "/" for folder in folders)):
                continue
            for number, line in enumerate(blank_literals(read(path)).splitlines(), 1):
                if re.search(pattern, line) and not (rule == "heavy header" and path.startswith("tests/")):
                    yield f"{path}:{number}: {rule}: {advice}"


def bad_awaits(text):
    """(line, what) of lambdas and braces inside co_await operands."""
    text = blank_literals(text)
    for match in re.finditer(r"\bco_await\b([^;]*)", text):
        operand = match[1]
        # An operand ends at the parenthesis that closes the condition it stands in.
        depth = 0
        for at, c in enumerate(operand):
            depth += c in "([{"
            depth -= c in ")]}"
            if depth < 0:
                operand = operand[:at]
                break
        line = text.count("\n", 0, match.start()) + 1
        if re.search(r"\[[^\]]*\]\s*(\([^()]*\)\s*)?(mutable\s*)?(->\s*\w+\s*)?\{", operand):
            yield line, "a lambda"
        elif re.search(r"[\w>(,]\s*\{[^}]", operand):
            yield line, "a brace temporary"


def await_operands():
    """GCC 12 destroys lambda and brace temporaries twice inside a co_await operand."""
    for path in code_files():
        for line, what in bad_awaits(read(path)):
            yield f"{path}:{line}: {what} inside a co_await operand"


SAMPLE = """
namespace a {
struct S { int x{1}; };
// { not a brace
const char* text = "{";
int table[] = {1, 2};
S::S(int y) : x(y) {
    if (y) {
        x = 2;
    }
}
void long_one() {
%s}
}
"""


def self_test():
    """The rules above find what they are for."""
    lengths = {name: lines for name, _, lines in functions(SAMPLE % ("    f();\n" * 80))}
    if lengths != {"S::S": 5, "long_one": 82}:
        yield f"functions(): {lengths}"
    for text, count in (("co_await f(g);", 0), ("co_await f([&] { g(); });", 1), ("co_await f(T{1});", 1),
                        ("if (co_await f(x)) { y(); }", 0), ("co_await f(T{});", 0)):
        if len(list(bad_awaits(text))) != count:
            yield f"bad_awaits(): {text}"


def host_names():
    """No machine of ours, no mirror: names that only resolve somewhere."""
    allowed = re.compile(r"(^|\.)(example(\.(com|net|org))?|invalid|localhost|local|test)$|microsoft\.com$|"
                         r"rfc-editor\.org$|apache\.org$|systemd\.io$|freedesktop\.org$")
    url = re.compile(r"\b(?:https?|ftp|ssh|git)://([A-Za-z0-9.-]+)")
    for path in sources():
        if os.path.getsize(os.path.join(TOP, path)) > 1 << 20 or path == "LICENSE":
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            for match in url.finditer(line):
                if not allowed.search(match[1]):
                    yield f"{path}:{number}: the host name {match[1]}"


def pragma_once():
    for path in code_files():
        if path.endswith(".h") and "#pragma once" not in read(path):
            yield f"{path}: no #pragma once"


def not_installed(program):
    return None if shutil.which(program) else f"{program} is not there: ./run install test"


def formatted():
    if missing := not_installed("clang-format"):
        yield missing
        return
    files = code_files()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = [files[i::8] for i in range(8)]

        def check(chunk):
            if not chunk:
                return []
            done = subprocess.run(["clang-format", "--dry-run", "-Werror", *chunk], cwd=TOP, capture_output=True,
                                  text=True, check=False)
            return re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.M)
        for bad in pool.map(check, chunks):
            for path in sorted(set(bad)):
                yield f"{path}: run clang-format -i"


def compile_commands():
    """Of a clang build of its own, which is configured and never built: precompiled headers would only cost here."""
    build = os.path.join("build", "tidy")
    subprocess.run(["cmake", "--preset", "asan", "-B", build, "-DSMB3D_PCH=OFF"], cwd=TOP, check=True,
                   stdout=subprocess.DEVNULL)
    with open(os.path.join(TOP, build, "compile_commands.json"), encoding="utf-8") as file:
        return build, json.load(file)


def included_first():
    """The headers that a source includes before all else: the release build, which has no precompiled headers, shows
    that these stand alone."""
    first = re.compile(r'^#include "([^"]+)"', re.M)
    for path in code_files():
        if path.endswith(".cpp") and not path.startswith("tests/"):  # that build has no tests
            text = read(path)
            found = first.search(text)
            if found and text.index("#include") == found.start():
                yield from (os.path.normpath(os.path.join(root, found[1])) for root in ("include", "src", "."))


def self_contained():
    done_by_the_build = set(included_first())
    headers = [path for path in code_files() if path.endswith(".h") and not path.startswith("tests/")
               and path not in done_by_the_build]

    def check(path):
        done = subprocess.run(["g++", "-std=c++23", "-fsyntax-only", "-x", "c++", "-Wno-pragma-once-outside-header",
                               "-DTOML_HEADER_ONLY=0", "-I", "include", "-I", "src", "-I", ".", path], cwd=TOP,
                              capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else f"{path}: does not stand alone: {done.stderr.splitlines()[0]}"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for problem in pool.map(check, headers):
            if problem:
                yield problem


def changed_by(commits):
    """The files that the last commits touched, uncommitted changes included; None if the history is not that long."""
    done = subprocess.run(["git", "diff", "--name-only", f"HEAD~{commits}"], cwd=TOP, capture_output=True, text=True,
                          check=False)
    return set(done.stdout.splitlines()) if done.returncode == 0 else None


def clang_tidy(commits=None):
    """The checks of .clang-tidy, as errors, over the library's sources (tests cost more than they would give)."""
    if missing := not_installed("clang-tidy-19"):
        yield missing
        return
    build, commands = compile_commands()
    changed = changed_by(commits) if commits else None
    wanted = sorted({os.path.relpath(c["file"], TOP) for c in commands
                     if os.path.relpath(c["file"], TOP).split("/")[0] in ("src", "vfs_posix", "transport")})
    if changed is not None:
        wanted = [path for path in wanted if path in changed]
    print(f"clang_tidy: {len(wanted)} sources", flush=True)

    def check(path):
        done = subprocess.run(["clang-tidy-19", "--quiet", "-p", build, path], cwd=TOP,
                              capture_output=True, text=True, check=False)
        return [line for line in done.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for problems in pool.map(check, wanted):
            yield from sorted(set(problems))


RULES = (columns, file_length, function_length, include_direction, patterns, await_operands, host_names,
         pragma_once, self_test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--commits", type=int, help="clang-tidy: only what so many commits have changed")
    parser.add_argument("--only", help="one rule")
    arguments = parser.parse_args()
    passed = failed = 0
    rules = [(rule.__name__, rule) for rule in RULES]
    if arguments.all or arguments.only:
        rules += [("formatted", formatted), ("self_contained", self_contained),
                  ("clang_tidy", lambda: clang_tidy(arguments.commits))]
    for name, rule in rules:
        if arguments.only and name != arguments.only:
            continue
        problems = list(rule())
        for problem in problems:
            print(problem)
        print(f"{name}: {'ok' if not problems else f'{len(problems)} problem(s)'}", flush=True)
        passed, failed = (passed + 1, failed) if not problems else (passed, failed + 1)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
