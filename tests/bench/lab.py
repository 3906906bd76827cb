# SPDX-License-Identifier: Apache-2.0
"""The surroundings of a measurement: a target, a second sshd to jump through, gates, and one ssh_config for all ways."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../whole"))
import harness  # noqa: E402  (beside us, not installed)
import machine  # noqa: E402
from peers import Connection, Reviewer  # noqa: E402

DIRECT, JUMP, LOGIN, INNER = "direct", "ssh -J", "gate login=", "gate -J"
HOSTS = {DIRECT: "direct", JUMP: "jumped", LOGIN: "gate-login", INNER: "gate-inner"}
# The same key exchange and cipher on every leg of every way. The gate's upstream leg prefers these too; the servers' second names are for
# this process's own connections (paramiko knows no GCM), which move no bulk data.
SAME = "KexAlgorithms curve25519-sha256\nCiphers aes128-gcm@openssh.com\n"
SERVER = "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org\nCiphers aes128-gcm@openssh.com,aes128-ctr\nLogLevel ERROR\n"

# Real rules, none with `anything`. DATA is the folder of the transferred files; the first covering allow rule counts.
POLICY = """
[[rule]]
name = "download, hashed"
verdict = "allow"
argv = ["cat", "{{path:{data}/hashed/*}}"]
record = "hash"

[[rule]]
name = "download, recorded"
verdict = "allow"
argv = ["cat", "{{path:{data}/recorded/*}}"]

[[rule]]
name = "upload, hashed"
verdict = "allow"
argv = ["cmp", "-", "{{path:{data}/hashed/*}}"]
stdin = "stream"
record = "hash"

[[rule]]
name = "upload, recorded"
verdict = "allow"
argv = ["cmp", "-", "{{path:{data}/recorded/*}}"]
stdin = "stream"

[[rule]]
name = "endless output"
verdict = "allow"
argv = ["yes"]

[[rule]]
name = "short commands"
verdict = "allow"
argv = ["{{oneof:true|pwd}}"]

[[rule]]
name = "a person decides"
verdict = "hold"
argv = ["echo", "{{name}}"]
answer_within = "none"
"""
LIMITS = 'startups_per_source = 1000\nconnections_per_agent = 1000\nkeepalive = "1h"\nupstream_idle = "1h"\n'


class Lab:
    """Everything that a run needs; close() leaves nothing behind."""

    def __init__(self, size_mib):
        self.size = size_mib * 1024 * 1024
        self.folder = tempfile.mkdtemp(prefix="pgb-")  # short: control sockets of ssh live in it
        # Not below /dev: the catalog says of reading a path there that its effect is unknown, and then hashing is not granted.
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data)
        self.gates, self.target, self.second, self.masters = [], None, None, {}
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        self.file = {}
        for kind in ("hashed", "recorded"):
            os.mkdir(os.path.join(self.data, kind))
            self.file[kind] = os.path.join(self.data, kind, "random")
        with open(self.file["hashed"], "wb") as file:
            for _ in range(self.size // (1024 * 1024)):
                file.write(os.urandom(1024 * 1024))
        os.link(self.file["hashed"], self.file["recorded"])
        os.sync()  # in the page cache from now on, and not being written while something is measured
        # An account without start-up files: what a user's own .bashrc costs is in every way and would hide what differs.
        home = os.path.join(self.folder, "home")
        os.mkdir(home)
        self.target = harness.Sshd(os.path.join(self.folder, "target"), extra=SERVER + f"SetEnv HOME={home}\n", port=harness.free_port())
        self.gate = self.new_gate("g", start=False)
        self.target.start()
        self.gate.start()
        self.second = harness.Sshd(os.path.join(self.folder, "second"), extra=SERVER).start()
        self._write_ssh_config()

    def new_gate(self, name, start=True):
        """Another gate for the same target. The targets trust one CA: each further gate gets the first one's keys."""
        gate = harness.Gate(os.path.join(self.folder, name), self.target, policy=POLICY.format(data=self.data), workers=self.gate_workers(),
                            limits=LIMITS, init=["--trust-account-rc", "--unix-user", harness.LOGIN])
        if self.gates:
            first = self.gates[0]
            for key in os.listdir(os.path.join(first.dir, "keys")):
                shutil.copy2(os.path.join(first.dir, "keys", key), os.path.join(gate.dir, "keys", key))
            self.target.ca = os.path.join(first.dir, "keys", "user_ca.pub")
        self.gates.append(gate)
        return gate.start() if start else gate

    @staticmethod
    def gate_workers():
        return min(4, len(os.sched_getaffinity(0)))  # the gate's own default, said out loud

    def _write_ssh_config(self):
        self.config = os.path.join(self.folder, "config")
        known = os.path.join(self.folder, "known")
        with open(known, "w") as file:
            file.write(harness.read(self.gate.known_hosts))
            file.write(f"[127.0.0.1]:{self.second.port} {self.second.public_host_key()}\n")
        both = f"  HostName 127.0.0.1\n  Port {self.target.port}\n  User {harness.LOGIN}\n  IdentityFile {self.target.user_key}\n"
        agent = f"  IdentityFile {self.gate.folder}/bot\n"
        with open(self.config, "w") as file:
            file.write(f"""Host *
  BatchMode yes
  IdentityAgent none
  IdentitiesOnly yes
  StrictHostKeyChecking yes
  UserKnownHostsFile {known}
  GlobalKnownHostsFile none
  LogLevel ERROR
  {SAME.strip().replace(chr(10), chr(10) + '  ')}
Host direct
{both}Host jumped
{both}  ProxyJump second
Host second
  HostName 127.0.0.1
  Port {self.second.port}
  User {harness.LOGIN}
  IdentityFile {self.second.user_key}
Host gate-login
  HostName 127.0.0.1
  Port {self.gate.agents_port}
  User {harness.LOGIN}=web1
{agent}Host gate-inner
  HostName web1
  User {harness.LOGIN}
  ProxyJump gate
{agent}Host gate
  HostName 127.0.0.1
  Port {self.gate.agents_port}
  User bot
{agent}""")

    def ssh(self, way, *command, options=()):
        return ["ssh", "-F", self.config, *options, HOSTS[way], *command]

    def warm(self, way):
        """Options that use this way's master connection, which begins with the first call."""
        control = os.path.join(self.folder, HOSTS[way])
        if way not in self.masters:
            self.masters[way] = subprocess.Popen(self.ssh(way, options=["-N", "-o", "ControlMaster=yes", "-o", f"ControlPath={control}"]),
                                                 stdin=subprocess.DEVNULL)
            harness.wait_for(lambda: os.path.exists(control), what="master of " + way)
        return ["-o", f"ControlPath={control}", "-o", "ControlMaster=no"]

    def end_masters(self):
        for master in self.masters.values():
            harness.end(master)
        self.masters = {}

    def connect(self, way, gate=None):
        """A connection of this process (peers.py)."""
        gate = gate or self.gate
        if way == DIRECT:
            return Connection(self.target.port, harness.LOGIN, self.target.user_key, self.target.public_host_key())
        key = os.path.join(gate.folder, "bot")
        host_key = harness.read(os.path.join(gate.dir, "keys", "host_key.pub"))
        if way == LOGIN:
            return Connection(gate.agents_port, f"{harness.LOGIN}=web1", key, host_key)
        outer = Connection(gate.agents_port, "bot", key, host_key)
        return Connection(0, harness.LOGIN, key, host_key, over=(outer, "web1"))

    @staticmethod
    def reviewer(gate):
        return Reviewer(os.path.join(gate.dir, "run", "control.sock"))

    @staticmethod
    def cpu(gate):
        keeper = gate.process.pid
        return sum(machine.cpu_seconds(pid) for pid in [keeper, *machine.workers(keeper)])

    @staticmethod
    def memory_kib(gate):
        """(workers, keeper) as proportional set sizes."""
        keeper = gate.process.pid
        return sum(machine.pss_kib(pid) for pid in machine.workers(keeper)), machine.pss_kib(keeper)

    def drop_recordings(self):
        """Bytes of all recordings so far, which are deleted: writing large ones back would disturb what is measured next."""
        total = 0
        for path in self.gate.casts():
            total += os.path.getsize(path)
            os.unlink(path)
        os.sync()
        return total

    def end_gate(self, gate):
        gate.stop()
        self.gates.remove(gate)
        shutil.rmtree(gate.folder, ignore_errors=True)

    def close(self):
        self.end_masters()
        for gate in list(self.gates):
            gate.stop()
        for server in (self.second, self.target):
            if server is not None:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
