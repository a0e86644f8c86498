"""A smb3d of the build under test: configuration, accounts, start, stop.  Standard library only."""
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SANITIZER = re.compile(r"(ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error:|"
                       r"Assertion .* failed)")
SECOND_USER = "smb3dtest"

CONFIG = """[server]
listen = ["127.0.0.1:{port}", "[::1]:{port}"]
state_dir = "{dir}/state"
runtime_dir = "{dir}/run"
io = "{io}"
comment = "interop"
{server}
{extra}
[share.test]
path = "{dir}/share"
comment = "test share"
[share.readonly]
path = "{dir}/share"
read_only = true
[share.secret]
path = "{dir}/secret"
encrypt = true
[share.private]
path = "{dir}/private"
users = ["{user}"]
[share."hidden$"]
path = "{dir}/private"
"""


def free_port():
    """A port that is free on both loopback addresses, above the ones that the kernel hands out by itself."""
    while True:
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            try:
                four.bind(("127.0.0.1", port))
                six.bind(("::1", port))
                return port
            except OSError:
                continue


class Server:
    """`namespace`: the name of a network namespace to run in, where only its clients can reach it."""
    def __init__(self, build, io, server="", extra="", namespace=None):
        self.build = os.path.abspath(build)
        self.io = io
        self.inside = ["ip", "netns", "exec", namespace] if namespace else []
        self.dir = tempfile.mkdtemp(prefix="smb3d-interop-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        # smb2.multichannel.bugs goes to the well-known port, whatever it is told.
        self.port = 445 if namespace else free_port()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.password = secrets.token_hex(8)
        self.second_password = secrets.token_hex(8)
        self.config = os.path.join(self.dir, "smb3d.toml")
        self.log = os.path.join(self.dir, "log")
        self.share = os.path.join(self.dir, "share")
        self.process = None
        for name in ("share", "secret", "private"):
            os.mkdir(os.path.join(self.dir, name))
        # Every account may write, as the configuration promises for a folder that is theirs.
        os.chmod(self.share, 0o777)
        os.chmod(os.path.join(self.dir, "secret"), 0o777)
        self.text = CONFIG.format(port=self.port, dir=self.dir, io=io, server=server, extra=extra, user=self.user)
        self.write_config(self.text)

    def write_config(self, text):
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.config + ".new", self.config)

    def add_accounts(self):
        self.ctl("user", "add", self.user, "--password-stdin", stdin=self.password + "\n")
        if has_second_user():
            self.ctl("user", "add", SECOND_USER, "--password-stdin", stdin=self.second_password + "\n")

    def start(self):
        with open(self.log, "ab") as log:
            command = self.inside + [os.path.join(self.build, "smb3d"), "--config", self.config]
            self.process = subprocess.Popen(command, stderr=log, stdout=log, stdin=subprocess.DEVNULL)
        deadline = time.time() + 30
        while time.time() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("smb3d ended: " + self.log_text()[-3000:])
            if self.answers():
                return self
            time.sleep(0.05)
        raise RuntimeError("smb3d does not answer: " + self.log_text()[-3000:])

    def answers(self):
        if self.inside:
            probe = f"import socket; socket.create_connection(('127.0.0.1', {self.port}), timeout=1)"
            done = subprocess.run(self.inside + [sys.executable, "-c", probe], capture_output=True, check=False)
            return done.returncode == 0
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self):
        """SIGTERM; returns (exit code, seconds)."""
        begin = time.time()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = -9
        return code, time.time() - begin

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def alive(self):
        return self.process.poll() is None

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def sanitizer_report(self):
        text = self.log_text()
        found = SANITIZER.search(text)
        return text[max(0, found.start() - 200):][:6000] if found else ""

    def ctl(self, *arguments, stdin=None, check=True):
        """Runs smb3dctl; returns (exit code, standard output, standard error)."""
        done = subprocess.run([os.path.join(self.build, "smb3dctl"), "--config", self.config, *arguments],
                              input=stdin, capture_output=True, text=True, timeout=90, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"smb3dctl {' '.join(arguments)}: {done.returncode} {done.stdout} {done.stderr}")
        return done.returncode, done.stdout, done.stderr

    def ask(self, *arguments):
        """smb3dctl --json, its result."""
        reply = json.loads(self.ctl("--json", *arguments)[1])
        assert reply["ok"] and reply["schema_version"] == 1, reply
        return reply["result"]

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def has_second_user():
    try:
        pwd.getpwnam(SECOND_USER)
        return True
    except KeyError:
        return False


def make_second_user():
    """A system user for the tests; true if it was made here (and is to be removed)."""
    if os.geteuid() != 0 or has_second_user():
        return False
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SECOND_USER], check=True)
    return True


def remove_second_user():
    subprocess.run(["userdel", SECOND_USER], check=False, capture_output=True)
