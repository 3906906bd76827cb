# SPDX-License-Identifier: Apache-2.0
"""Real sshd, real clients, a real gate: what the whole-program tests start and stop.

Everything listens on 127.0.0.1, lives in a temporary directory and is ended by its own pid. Nothing is skipped: what is missing fails.
"""
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAM = os.environ.get("PTYGATE", os.path.join(os.path.dirname(__file__), "../../build/release/ptygate"))
LOGIN = pwd.getpwuid(os.getuid()).pw_name
# A clean client: nothing of the user's own configuration, agent or known hosts.
SSH = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes",
       "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20"]


class Failure(Exception):
    """The test's surroundings could not be set up."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=20, what="condition"):
    """Polls until condition() is true; the tests' only way of waiting."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure(f"timed out after {seconds} s: {what}")


def keygen(path, comment="test", kind="ed25519"):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", path], check=True)
    return path


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def end(process, seconds=10):
    """Ends a process that we started: politely, then by force."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Sshd:
    """A throw-away OpenSSH server for the current user."""

    def __init__(self, folder, ca=None, extra="", port=None, host_key=None):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.host_key = host_key or os.path.join(folder, "host_key")
        if not os.path.exists(self.host_key):
            keygen(self.host_key, "target")
        # Start-up files of Debian's skeleton, whatever the machine's own account runs at login.
        self.home = os.path.join(folder, "home")
        if not os.path.exists(self.home):
            shutil.copytree("/etc/skel", self.home)
        self.user_key = os.path.join(folder, "direct_key")
        if not os.path.exists(self.user_key):
            keygen(self.user_key, "direct")
        shutil.copy(self.user_key + ".pub", os.path.join(folder, "authorized_keys"))
        self.ca = ca
        self.extra = extra
        self.port = port
        self.process = None
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)

    def start(self):
        for _ in range(10):
            port = self.port or free_port()
            config = os.path.join(self.folder, "sshd_config")
            with open(config, "w") as file:
                file.write(f"""Port {port}
ListenAddress 127.0.0.1
HostKey {self.host_key}
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
AuthorizedKeysFile {self.folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv LANG LC_*
SetEnv HOME={self.home}
Subsystem sftp internal-sftp
MaxStartups 1000
LogLevel VERBOSE
{'TrustedUserCAKeys ' + self.ca if self.ca else ''}
{self.extra}
""")
            log = open(os.path.join(self.folder, "sshd.log"), "ab")
            self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            log.close()
            with contextlib.suppress(Failure):
                wait_for(lambda: self.process.poll() is not None or self._answers(port), 10, "sshd")
            if self.process.poll() is None:
                self.port = port
                return self
        raise Failure("sshd does not start: " + read(os.path.join(self.folder, "sshd.log"))[-2000:])

    @staticmethod
    def _answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as peer:
                return peer.recv(4) == b"SSH-"
        except OSError:
            return False

    def public_host_key(self):
        return " ".join(read(self.host_key + ".pub").split()[:2])

    def stop(self):
        end(self.process)

    def log(self):
        return read(os.path.join(self.folder, "sshd.log"))


class Gate:
    """A gate made by `ptygate init`, with one agent (bot), two people (alice, bob) and one target (web1)."""

    def __init__(self, folder, target, policy=None, workers=1, config="", limits="", people_config=None, environment=None,
                 init=()):
        self.folder = folder
        self.dir = os.path.join(folder, "gate")
        self.target = target
        self.process = None
        self.environment = environment
        self.prefix = []  # in front of `serve`: another user, other limits; it has to exec
        os.makedirs(folder, exist_ok=True)
        for name in ("bot", "alice", "bob"):
            keygen(os.path.join(folder, name), name)
        init = subprocess.run(
            [PROGRAM, "init", self.dir, "--agent", f"bot={folder}/bot.pub", "--person", f"alice={folder}/alice.pub",
             "--person", f"bob={folder}/bob.pub", "--target", f"web1={LOGIN}@127.0.0.1:{target.port}",
             "--host-key", target.public_host_key(), "--label", "env=test", *init],
            capture_output=True, text=True)
        if init.returncode != 0:
            raise Failure("init: " + init.stdout + init.stderr)
        text = read(self.config_path())
        text = re.sub(r'^agents = .*$', 'agents = ["127.0.0.1:0"]', text, count=1, flags=re.M)
        text = re.sub(r'^people = .*$', 'people = ["127.0.0.1:0"]', text, count=1, flags=re.M)
        gate_table = f"\n[gate]\nworkers = {workers}\n" + config
        self.write_config(text + gate_table + ("\n[limits]\n" + limits if limits else ""))
        if policy is not None:
            self.write_policy(policy)
        target.ca = os.path.join(self.dir, "keys", "user_ca.pub")

    def config_path(self):
        return os.path.join(self.dir, "ptygate.toml")

    def write_config(self, text):
        with open(self.config_path(), "w") as file:
            file.write(text)
        os.chmod(self.config_path(), 0o600)

    def write_policy(self, text):
        path = os.path.join(self.dir, "policy.toml")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)

    def start(self):
        ports = os.path.join(self.dir, "run", "ports")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ports)
        log = open(os.path.join(self.folder, "gate.log"), "ab")
        environment = dict(os.environ, **(self.environment or {}))
        self.process = subprocess.Popen([*self.prefix, PROGRAM, "serve", "--dir", self.dir], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env=environment)
        log.close()

        def ready():
            if self.process.poll() is not None:
                raise Failure("the gate ended: " + self.log()[-3000:])
            return os.path.exists(ports) and len(read(ports).split()) >= 2 and os.path.exists(os.path.join(self.dir, "run", "control.sock"))
        wait_for(ready, 20, "the gate's ports file")
        self._read_ports(read(ports))
        host_key = " ".join(read(os.path.join(self.dir, "keys", "host_key.pub")).split()[:2])
        self.known_hosts = os.path.join(self.folder, "known_hosts")
        with open(self.known_hosts, "w") as file:
            for name in (f"[127.0.0.1]:{self.agents_port}", f"[127.0.0.1]:{self.people_port}", "web1", "nowhere"):
                file.write(f"{name} {host_key}\n")
            file.write(f"[127.0.0.1]:{self.target.port} {self.target.public_host_key()}\n")
        return self

    def _read_ports(self, text):
        found = dict(re.findall(r"(agents|people)\S*\s+(?:\S+:)?(\d+)", text))
        self.agents_port, self.people_port = int(found["agents"]), int(found["people"])

    def stop(self, seconds=10):
        end(self.process, seconds)
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self):
        path = os.path.join(self.folder, "gate.log")
        return read(path, "rb").decode(errors="replace") if os.path.exists(path) else ""

    # ---- clients ----
    def base(self, key, options=()):
        return SSH + ["-o", f"UserKnownHostsFile={self.known_hosts}", "-i", os.path.join(self.folder, key)] + list(options)

    def direct(self, *command, options=()):
        """The same action without the gate."""
        return SSH + ["-o", f"UserKnownHostsFile={self.known_hosts}", "-i", self.target.user_key, "-p", str(self.target.port)] + \
            list(options) + [f"{LOGIN}@127.0.0.1"] + list(command)

    def by_login(self, *command, options=(), key="bot", login=LOGIN, target="web1"):
        return self.base(key, options) + ["-p", str(self.agents_port), f"{login}={target}@127.0.0.1"] + list(command)

    def by_jump(self, *command, options=(), key="bot", login=LOGIN, target="web1"):
        # -J reads its own configuration: ProxyCommand is what it stands for, with our options.
        proxy = " ".join(self.base(key)) + f" -p {self.agents_port} -W [%h]:%p bot@127.0.0.1"
        return self.base(key, options) + ["-o", f"ProxyCommand={proxy}", f"{login}@{target}"] + list(command)

    def person(self, name, *command, options=()):
        return self.base(name, options) + ["-p", str(self.people_port), f"{name}@127.0.0.1"] + list(command)

    def verb(self, *argv, check=False, **keywords):
        """A verb on the gate's own host."""
        return subprocess.run([PROGRAM, *argv, "--dir", self.dir], capture_output=True, text=True, timeout=60, check=check, **keywords)

    def pending(self):
        out = run(self.person("alice", "pending", "--json"))
        return [json.loads(line) for line in out.stdout.decode().splitlines() if line.strip()]

    def wait_pending(self, count=1, seconds=20):
        return wait_for(lambda: (lambda holds: holds if len(holds) >= count else None)(self.pending()), seconds, f"{count} pending holds")

    def casts(self):
        found = []
        for root, _, files in os.walk(os.path.join(self.dir, "rec")):
            found += [os.path.join(root, name) for name in files if name.endswith(".cast")]
        return sorted(found)

    def ledger(self):
        folder = os.path.join(self.dir, "ledger")
        lines = []
        for name in sorted(os.listdir(folder)):
            if name.endswith(".jsonl"):
                lines += [json.loads(line) for line in read(os.path.join(folder, name)).splitlines()]
        return lines


@contextlib.contextmanager
def paramiko_connection(gate, user=None, key="bot", port=None):
    """A logged-in paramiko.Transport to the gate: what OpenSSH's client cannot be made to send."""
    import paramiko  # only Debian's python has it, and few tests need it
    transport = paramiko.Transport(("127.0.0.1", port or gate.agents_port))
    try:
        transport.start_client(timeout=20)
        transport.auth_publickey(user or f"{LOGIN}=web1", paramiko.Ed25519Key.from_private_key_file(os.path.join(gate.folder, key)))
        yield transport
    finally:
        transport.close()


def run(argv, stdin=b"", timeout=60):
    """Runs a client to its end; stdin is bytes, or None for an open but silent standard input."""
    if stdin is None:
        with open("/dev/null", "rb"):
            pass
        reader, writer = os.pipe()
        try:
            return subprocess.run(argv, stdin=reader, capture_output=True, timeout=timeout)
        finally:
            os.close(reader)
            os.close(writer)
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout)


ALLOW_ALL = """
[[rule]]
name = "laboratory"
anything = true
verdict = "allow"
stdin = "stream"
"""
DENY_ALL = """
[[rule]]
name = "nothing"
effects_any = ["read", "secret", "write", "destructive", "exec", "network", "privilege", "persist", "env", "cwd", "interactive", "unknown"]
verdict = "deny"

[defaults]
unmatched = "deny"
opaque = "deny"
"""
HOLD_ALL = """
[defaults]
unmatched = "hold"
opaque = "hold"
"""


@contextlib.contextmanager
def laboratory(policy=None, workers=1, sshd_extra="", **keywords):
    """A target and a gate, for a with-statement; both are gone afterwards, and so is their directory."""
    folder = tempfile.mkdtemp(prefix="ptygate-test-")
    target = gate = None
    try:
        target = Sshd(os.path.join(folder, "target"), extra=sshd_extra)
        target.port = free_port()
        gate = Gate(folder, target, policy=policy, workers=workers, **keywords)
        target.start()
        gate.start()
        yield gate
    finally:
        if gate is not None:
            gate.stop()
        if target is not None:
            target.stop()
        shutil.rmtree(folder, ignore_errors=True)
