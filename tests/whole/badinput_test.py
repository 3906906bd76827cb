# SPDX-License-Identifier: Apache-2.0
"""Bad input from operators, clients and targets: each is refused with a text that says what and where, and the gate goes on."""
import os
import random
import re
import socket
import subprocess
import time
import unittest

import paramiko

import harness
from harness import ALLOW_ALL, HOLD_ALL, LOGIN, PROGRAM, read, run, wait_for

SEED = int(os.environ.get("PTYGATE_SEED", "20261120"))
print(f"badinput_test: seed {SEED} (PTYGATE_SEED)", flush=True)


def fingerprint(path):
    return subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=True).stdout.split()[1]


def verbose(argv):
    return ["LogLevel=DEBUG1" if word == "LogLevel=ERROR" else word for word in argv]


class Case(unittest.TestCase):
    def laboratory(self, *arguments, **keywords):
        scope = harness.laboratory(*arguments, **keywords)
        gate = scope.__enter__()
        self.addCleanup(scope.__exit__, None, None, None)
        return gate

    def transport(self, gate, login=True, key="bot"):
        """paramiko, for what OpenSSH's client does not do."""
        transport = paramiko.Transport(("127.0.0.1", gate.agents_port))
        self.addCleanup(transport.close)
        transport.start_client(timeout=20)
        self.assertEqual(transport.get_remote_server_key().get_base64(), read(os.path.join(gate.dir, "keys/host_key.pub")).split()[1])
        if login:
            transport.auth_publickey(f"{LOGIN}=web1", paramiko.Ed25519Key.from_private_key_file(os.path.join(gate.folder, key)))
        return transport

    def execute(self, transport, command):
        channel = transport.open_session(timeout=20)
        channel.settimeout(30)
        channel.exec_command(command)
        channel.shutdown_write()
        out, err = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
        return channel.recv_exit_status(), out, err


class Operators(Case):
    """What `serve` refuses to start with."""

    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=ALLOW_ALL)
        cls.gate = cls.scope.__enter__()
        cls.gate.stop()
        cls.config = read(cls.gate.config_path())

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def setUp(self):
        self.gate.write_config(self.config)
        self.gate.write_policy(ALLOW_ALL)

    def refused(self, *texts):
        done = subprocess.run([PROGRAM, "serve", "--dir", self.gate.dir], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1, done)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertNotIn("PRIVATE", done.stderr)
        return done.stderr

    def test_an_unknown_key_names_file_line_and_the_nearest_key(self):
        text = self.config + "\n[limits]\nlogin_grase = \"5s\"\n"
        self.gate.write_config(text)
        line = text.rstrip("\n").count("\n") + 1
        self.refused(f"{self.gate.config_path()}:{line}: ", '"login_grase"', 'did you mean "login_grace"')

    def test_an_unknown_key_of_the_policy_names_file_line_and_the_nearest_key(self):
        text = ALLOW_ALL + 'verdikt = "allow"\n'
        self.gate.write_policy(text)
        line = text.rstrip("\n").count("\n") + 1
        self.refused(f"policy.toml:{line}: ", '"verdikt"', 'did you mean "verdict"')

    def test_loose_permissions_are_refused_with_the_path_and_the_cure(self):
        for name, mode, good in (("keys/user_ca", 0o640, 0o600), ("keys/host_key", 0o604, 0o600), ("keys", 0o770, 0o700), (".", 0o713, 0o711),
                                 ("policy.toml", 0o620, 0o600), ("ptygate.toml", 0o602, 0o600)):
            with self.subTest(name=name):
                path = os.path.normpath(os.path.join(self.gate.dir, name))
                self.assertEqual(os.stat(path).st_mode & 0o777, good)
                os.chmod(path, mode)
                try:
                    self.refused(path, "chmod")
                finally:
                    os.chmod(path, good)

    def test_one_key_as_agent_and_person_names_both(self):
        alice = read(os.path.join(self.gate.folder, "alice.pub")).strip()
        text, count = re.subn(r'(\[\[agent\]\]\nname = "bot"\nkeys = ).*', rf'\1["{alice}"]', self.config)
        self.assertEqual(count, 1)
        self.gate.write_config(text)
        self.refused(f"{self.gate.config_path()}:", "the person alice's already")

    def test_a_second_gate_in_one_directory_is_refused_and_the_first_goes_on(self):
        self.gate.start()
        try:
            self.refused(self.gate.dir, "another gate runs with this directory")
            self.assertEqual(run(self.gate.by_login("echo x")).stdout, b"x\n")
            self.assertEqual(self.gate.verb("status").returncode, 0)
        finally:
            self.assertEqual(self.gate.stop(), 0)

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            text, count = re.subn(r"(?m)^agents = .*$", f'agents = ["{address}"]', self.config)
            self.assertEqual(count, 1)
            self.gate.write_config(text)
            self.refused(address, "in use")

    def test_it_starts_with_what_the_cases_above_begin_from(self):
        self.gate.start()
        self.assertEqual(self.gate.stop(), 0)


class Strangers(Case):
    def test_unknown_target_login_and_key_cannot_be_told_apart(self):
        gate = self.laboratory(ALLOW_ALL)
        harness.keygen(os.path.join(gate.folder, "stranger"))

        def said(argv):
            done = run(verbose(argv))
            self.assertEqual((done.returncode, done.stdout), (255, b""))
            # Without what the client itself knows: whom it calls, and with which key.
            lines = [re.sub(rb"^\S+@\S+: ", b"", line) for line in done.stderr.splitlines(keepends=True)
                     if re.search(rb"Authentications that can continue|Server accepts key|Permission denied|Received disconnect|banner", line)]
            self.assertTrue(lines)
            return b"".join(lines)

        direct = {name: said(gate.by_login("true", **words)) for name, words in {
            "target": {"target": "nothere"}, "login": {"login": "nobodyhere"}, "key": {"key": "stranger"},
            "key and target": {"key": "stranger", "target": "nothere"}, "a person's key": {"key": "alice"}}.items()}
        self.assertEqual(len(set(direct.values())), 1, direct)
        self.assertIn(b"Permission denied (publickey).", direct["target"])
        # Behind -J the handshake is by the same agent, so only target and login can be unknown; the outer one refuses a key.
        with open(gate.known_hosts, "a") as file:
            file.write("nothere " + read(os.path.join(gate.dir, "keys/host_key.pub")))
        jump = {name: said(gate.by_jump("true", **words)).replace(
            b"debug1: Authentications that can continue: publickey\r\n", b"", 1) for name, words in {
            "target": {"target": "nothere"}, "login": {"login": "nobodyhere"}}.items()}
        self.assertEqual(len(set(jump.values())), 1, jump)
        self.assertIn(b"Permission denied (publickey).", jump["target"])
        outer = run(gate.by_jump("true", key="stranger"))
        self.assertIn(b"bot@127.0.0.1: Permission denied (publickey).", outer.stderr)

    def test_attempts_to_log_in_are_limited(self):
        gate = self.laboratory(ALLOW_ALL, limits="auth_attempts = 3\n")
        for wrong, works in ((2, True), (3, False)):
            transport = self.transport(gate, login=False)
            for n in range(wrong):
                with self.assertRaises((paramiko.SSHException, EOFError)):
                    self.authenticate(transport, harness.keygen(os.path.join(gate.folder, f"wrong{wrong}{n}")))
            if works:
                self.authenticate(transport, os.path.join(gate.folder, "bot"))
                self.assertEqual(self.execute(transport, "echo x")[:2], (0, b"x\n"))
            else:
                with self.assertRaises((paramiko.SSHException, EOFError)):
                    self.authenticate(transport, os.path.join(gate.folder, "bot"))
                self.assertFalse(transport.is_authenticated())

    @staticmethod
    def authenticate(transport, key):
        transport.auth_publickey(f"{LOGIN}=web1", paramiko.Ed25519Key.from_private_key_file(key))

    def test_garbage_and_silence_are_closed_after_the_login_grace_at_the_latest(self):
        gate = self.laboratory(ALLOW_ALL, limits='login_grace = "2s"\nstartups_per_source = 100\n')
        random_ = random.Random(SEED)
        banner = b"SSH-2.0-OpenSSH_9.2\r\n"
        kinds = [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 4096, b"SSH-1.5-old\r\n", b"SSH-2.0-" + b"A" * 100_000, b"\r\n" * 5000,
                 b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + random_.randbytes(500), banner, banner[:7], banner + b"\xff" * 64,
                 banner + b"\0\0\0\x0c\x0a\x14" + random_.randbytes(10), banner + b"\x7f\xff\xff\xff\x04\x14" + b"x" * 1000,
                 banner + b"\0\0\x01\0\x04\x14" + random_.randbytes(255 - 1), banner + b"\0\0\0\0\0\0", random_.randbytes(70_000)]
        kinds += [banner + random_.randbytes(random_.randrange(1, 5000)) for _ in range(20)]
        before = gate.verb("status").stdout
        self.assertIn("workers:", before)
        peers = []
        for port in (gate.agents_port, gate.people_port):
            for kind in kinds:
                peer = socket.create_connection(("127.0.0.1", port), 5)
                self.addCleanup(peer.close)
                try:
                    peer.sendall(kind)
                except (ConnectionResetError, BrokenPipeError):
                    pass
                peers.append(peer)
        slow = socket.create_connection(("127.0.0.1", gate.agents_port), 5)
        self.addCleanup(slow.close)
        half = socket.create_connection(("127.0.0.1", gate.agents_port), 5)
        self.addCleanup(half.close)
        half.sendall(banner)
        half.shutdown(socket.SHUT_WR)
        # In between, a real client gets in.
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")
        end = time.monotonic() + 8

        def closed(peer):
            peer.settimeout(max(0.01, end - time.monotonic()))
            try:
                while peer.recv(65536):
                    pass
                return True
            except (ConnectionResetError, BrokenPipeError):
                return True
            except socket.timeout:
                return False
        # A byte now and then does not buy time.
        try:
            for byte in banner[:8]:
                slow.sendall(bytes([byte]))
                time.sleep(0.4)
            slow.sendall(banner[8:])
        except (ConnectionResetError, BrokenPipeError):
            pass
        for n, peer in enumerate(peers + [half, slow]):
            self.assertTrue(closed(peer), f"still open: {n} {(kinds * 2 + [b'half', b'slow'])[n][:40]}")
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")
        self.assertNotIn("worker_ended", gate.log())
        self.assertNotIn("worker_lost", gate.log())

    def test_startups_of_one_source_are_limited(self):
        gate = self.laboratory(ALLOW_ALL, limits="startups_per_source = 3\n")
        peers = []
        for _ in range(3):
            peer = socket.create_connection(("127.0.0.1", gate.agents_port), 5)
            self.addCleanup(peer.close)
            self.assertEqual(peer.recv(4), b"SSH-")
            peers.append(peer)
        refused = run(gate.by_login("echo x"))
        self.assertEqual((refused.returncode, refused.stdout), (255, b""))
        for peer in peers:
            peer.close()
        wait_for(lambda: run(gate.by_login("echo x")).stdout == b"x\n", what="room for a start-up")
        self.assertIn("startups_per_source", gate.log())

    def test_connections_of_one_agent_are_limited(self):
        gate = self.laboratory(ALLOW_ALL, limits="connections_per_agent = 2\n")
        first, second = self.transport(gate), self.transport(gate)
        refused = run(gate.by_login("echo x"))
        self.assertEqual((refused.returncode, refused.stdout), (255, b""))
        self.assertEqual(self.execute(first, "echo x")[:2], (0, b"x\n"))
        second.close()
        wait_for(lambda: run(gate.by_login("echo x")).stdout == b"x\n", what="room for a connection")
        self.assertIn("connections_per_agent", gate.log())

    def test_channels_of_one_connection_are_limited(self):
        gate = self.laboratory(ALLOW_ALL, limits="channels_per_connection = 3\n")
        transport = self.transport(gate)
        channels = [transport.open_session(timeout=20) for _ in range(3)]
        with self.assertRaises(paramiko.ChannelException):
            transport.open_session(timeout=20)
        channels[0].close()
        wait_for(lambda: self.opens(transport), what="room for a channel")

    def opens(self, transport):
        try:
            transport.open_session(timeout=20).close()
            return True
        except paramiko.ChannelException:
            return False


class Targets(Case):
    def test_a_changed_host_key_is_refused_with_both_fingerprints(self):
        gate = self.laboratory(ALLOW_ALL)
        self.assertEqual(run(gate.by_login("echo x")).stdout, b"x\n")
        pinned = fingerprint(gate.target.host_key + ".pub")
        gate.target.stop()
        gate.target.host_key = harness.keygen(os.path.join(gate.target.folder, "other_host_key"))
        offered = fingerprint(gate.target.host_key + ".pub")
        gate.target.start()
        for way in (gate.by_login, gate.by_jump):
            done = run(way("echo x"))
            self.assertEqual((done.returncode, done.stdout), (255, b""))
            self.assertIn(pinned, done.stderr.decode())
            self.assertIn(offered, done.stderr.decode())
            self.assertIn(b"nothing ran", done.stderr)
        alarms = [line for line in gate.ledger() if line["kind"] == "alarm"]
        self.assertTrue(alarms)
        self.assertRegex(gate.log(), r"(?m)^\S+ error .* alarm .*" + re.escape(offered))
        self.assertTrue(all(word in str(alarms[-1]) for word in (pinned, offered, "web1")), alarms[-1])
        self.assertNotIn("Accepted", gate.target.log().rsplit("Server listening", 1)[1])

    def test_a_target_that_is_down_is_255_and_nothing_is_held(self):
        gate = self.laboratory(HOLD_ALL)
        gate.target.stop()
        for way in (gate.by_login, gate.by_jump):
            done = run(way("touch x"))
            self.assertEqual((done.returncode, done.stdout), (255, b""))
            self.assertIn(b"ptygate: the target web1 cannot be reached: Connection refused; nothing ran", done.stderr)
        self.assertEqual(gate.pending(), [])
        self.assertEqual([line for line in gate.ledger() if line.get("verdict") == "hold"], [])

    def test_a_target_that_speaks_no_ssh_is_255(self):
        gate = self.laboratory(HOLD_ALL)
        gate.target.stop()
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", gate.target.port))
            listener.listen(16)
            client = subprocess.Popen(gate.by_login("true"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            listener.settimeout(0.2)
            peers = []
            while client.poll() is None:
                try:
                    peer, _ = listener.accept()
                except socket.timeout:
                    continue
                peers.append(peer)
                peer.sendall(b"220 mail ESMTP\r\n" * 3)
                peer.close()
            out, err = client.communicate()
            self.assertEqual((client.returncode, out), (255, b""), err)
            self.assertIn(b"key exchange with the target failed", err)
            self.assertIn(b"nothing ran", err)
        self.assertEqual(gate.pending(), [])


class LongCommands(Case):
    LONG = "echo begin; : " + "a" * (100 * 1024) + "; echo end"

    def test_100_kib_run_in_a_laboratory(self):
        gate = self.laboratory(ALLOW_ALL)
        for way in (gate.by_login, gate.by_jump):
            done = run(way(self.LONG))
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"begin\nend\n", b""))

    def test_100_kib_run_when_approved_and_the_reviewer_can_see_all(self):
        gate = self.laboratory(HOLD_ALL)
        client = subprocess.Popen(gate.by_login(self.LONG), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        hold = gate.wait_pending()[0]
        shown = run(gate.person("alice", "show", hold["hold"])).stdout.decode()
        self.assertTrue(self.LONG in shown, "the whole command is shown")
        done = run(gate.person("alice", "approve", hold["hold"]))
        self.assertEqual(done.returncode, 0, done.stderr)
        out, err = client.communicate(timeout=30)
        self.assertEqual((client.returncode, out), (0, b"begin\nend\n"), err)

    def test_250_kib_are_refused_with_126_and_the_connection_lives(self):
        gate = self.laboratory(ALLOW_ALL)
        transport = self.transport(gate)
        status, out, err = self.execute(transport, ": " + "a" * (250 * 1024))
        self.assertEqual((status, out), (126, b""), err)
        self.assertIn(b"131071", err)
        self.assertEqual(self.execute(transport, "echo x; exit 3"), (3, b"x\n", b""))
        # The very limit: what Linux passes to a shell as one word.
        status, out, err = self.execute(transport, "echo x; : " + "a" * (131071 - 10))
        self.assertEqual((status, out), (0, b"x\n"), err)
        status, out, err = self.execute(transport, "echo x; : " + "a" * (131072 - 10))
        self.assertEqual((status, out), (126, b""), err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
