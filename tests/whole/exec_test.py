# SPDX-License-Identifier: Apache-2.0
"""exec through the gate equals exec without it: bytes, statuses, signals; by both ways in."""
import hashlib
import os
import subprocess
import unittest

import paramiko

import harness
from harness import ALLOW_ALL, run


class ExecEqualsDirect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=ALLOW_ALL)
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def same(self, command, stdin=b"", options=()):
        """stdout, stderr and status are those of a direct session."""
        want = run(self.gate.direct(command, options=options), stdin)
        for name, way in self.ways().items():
            with self.subTest(way=name, command=command[:80]):
                got = run(way(command, options=options), stdin)
                self.assertEqual((got.returncode, got.stdout, got.stderr), (want.returncode, want.stdout, want.stderr))
        return want

    def test_statuses_arrive(self):
        for status in (0, 1, 37, 255):
            self.assertEqual(self.same(f"exit {status}").returncode, status)

    def test_stdout_and_stderr_stay_apart(self):
        self.same("echo out; echo err >&2; echo out2")

    def test_death_by_signal_arrives(self):
        for signal in ("TERM", "KILL", "SEGV"):
            self.same(f"kill -{signal} $$")

    def test_stdin_is_passed_and_its_end_is_seen(self):
        self.same("sha256sum; echo done", os.urandom(300_000))
        self.same("cat", b"")

    def test_output_after_the_end_of_stderr_arrives(self):
        self.same("exec 2>&-; echo late; sleep 0.1; echo later")

    def test_a_status_that_comes_after_the_end_of_output_arrives(self):
        self.assertEqual(self.same("exec >&- 2>&-; sleep 0.3; exit 5").returncode, 5)

    def test_a_clients_signal_reaches_the_command(self):
        # OpenSSH's client sends no signals; paramiko has no call for it, so the request is put together here (RFC 4254, 6.9).
        # sshd refuses signals for logins of root's ("session signalling requires privilege separation"); that it was asked shows there.
        log = self.gate.target.log
        before = log().count("session signalling")
        with harness.paramiko_connection(self.gate) as transport:
            channel = transport.open_session(timeout=20)
            channel.settimeout(20)
            channel.exec_command("trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
            self.assertEqual(channel.recv(6), b"ready\n")
            message = paramiko.Message()
            message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
            message.add_int(channel.remote_chanid)
            message.add_string("signal")
            message.add_boolean(False)
            message.add_string("TERM")
            transport._send_user_message(message)
            harness.wait_for(lambda: channel.recv_ready() or log().count("session signalling") > before, what="the signal arrives")
            if channel.recv_ready():
                self.assertEqual((channel.recv(100), channel.recv_exit_status()), (b"got\n", 3))

    def test_a_client_that_closes_its_channel_ends_the_session_and_keeps_its_connection(self):
        with harness.paramiko_connection(self.gate) as transport:
            channel = transport.open_session(timeout=20)
            channel.settimeout(20)
            # Not a reader of stdin: closing sends EOF first, and a command that ends by that may well be seen to end.
            channel.exec_command("echo going; sleep 60")
            self.assertEqual(channel.recv(6), b"going\n")
            session = self.gate.ledger()[-1].get("session") or [leaf["session"] for leaf in self.gate.ledger() if "session" in leaf][-1]
            channel.close()

            def ending():
                return [leaf["ending"] for leaf in self.gate.ledger() if leaf["kind"] == "exit" and leaf["session"] == session]
            self.assertEqual(harness.wait_for(ending, what="the session's end"), ["client-gone"])
            again = transport.open_session(timeout=20)
            again.settimeout(20)
            again.exec_command("exit 6")
            self.assertEqual(again.recv_exit_status(), 6)

    def test_a_jump_by_openssh_s_own_option(self):
        config = os.path.join(self.gate.folder, "ssh_config")
        with open(config, "w") as file:
            file.write("Host *\n  BatchMode yes\n  IdentitiesOnly yes\n  IdentityAgent none\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n"
                       f"  UserKnownHostsFile {self.gate.known_hosts}\n  IdentityFile {self.gate.folder}/bot\n"
                       f"Host gate\n  HostName 127.0.0.1\n  Port {self.gate.agents_port}\n  User bot\n")
        got = run(["ssh", "-F", config, "-J", "gate", f"{harness.LOGIN}@web1", "echo there; exit 4"])
        self.assertEqual((got.returncode, got.stdout, got.stderr), (4, b"there\n", b""))

    def test_any_byte_arrives_both_ways(self):
        self.same("cat", bytes(range(256)) * 64)

    def test_a_command_of_any_bytes_arrives(self):
        self.same("printf %s 'a\u00e9\u4e2d\\x' \"$(printf 'b\\tc')\"")

    def test_head_ends_an_endless_writer(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                client = subprocess.Popen(way("yes"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
                self.assertEqual(client.stdout.readline(), b"y\n")
                client.stdout.close()
                self.assertIsNotNone(client.wait(20))

                def ending():
                    return [leaf["ending"] for leaf in self.gate.ledger() if leaf["kind"] == "exit" and leaf["session"] == session]
                session = [leaf["session"] for leaf in self.gate.ledger() if leaf["kind"] == "session_opened"][-1]
                self.assertEqual(harness.wait_for(ending, what="the session's end"), ["client-gone"])

    def test_locale_is_passed_and_other_variables_are_not(self):
        environment = dict(os.environ, LANG="C.UTF-8", LC_TIME="C", SECRET_TOKEN="x", LC_ALL="")
        for way in self.ways().values():
            got = subprocess.run(way("echo $LANG $LC_TIME $SECRET_TOKEN", options=["-o", "SendEnv=LANG LC_TIME SECRET_TOKEN"]),
                                 capture_output=True, env=environment, stdin=subprocess.DEVNULL, timeout=30)
            self.assertEqual(got.stdout, b"C.UTF-8 C\n")

    def test_twenty_parallel_execs_share_one_connection(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                control = os.path.join(self.gate.folder, "cm-" + name.strip("-").replace("=", ""))
                shared = ["-o", f"ControlPath={control}"]
                master = subprocess.Popen(way("-N", options=shared + ["-o", "ControlMaster=yes", "-N"])[:-1], stdin=subprocess.DEVNULL)
                try:
                    harness.wait_for(lambda: os.path.exists(control), what="control master")
                    clients = [subprocess.Popen(way(f"sleep 0.5; echo {n}; exit {n}", options=shared), stdout=subprocess.PIPE,
                                                stdin=subprocess.DEVNULL) for n in range(20)]
                    for n, client in enumerate(clients):
                        out, _ = client.communicate(timeout=60)
                        self.assertEqual((out, client.returncode), (f"{n}\n".encode(), n))
                finally:
                    harness.end(master)

    def test_64_mib_both_ways_with_rekeying_each_mib(self):
        data = os.urandom(64 * 1024 * 1024)
        digest = hashlib.sha256(data).hexdigest()
        source = os.path.join(self.gate.folder, "data")
        with open(source, "wb") as file:
            file.write(data)
        for name, way in self.ways().items():
            with self.subTest(way=name):
                down = run(way(f"cat {source}", options=["-o", "RekeyLimit=1M"]), timeout=300)
                self.assertEqual((down.returncode, hashlib.sha256(down.stdout).hexdigest()), (0, digest))
                up = run(way("sha256sum", options=["-o", "RekeyLimit=1M"]), data, timeout=300)
                self.assertEqual((up.returncode, up.stdout.split()[0].decode()), (0, digest))


class UnderSmallLimits(unittest.TestCase):
    """The gate itself begins re-keying and sends keepalives."""

    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=ALLOW_ALL, limits='rekey = "1MiB"\nkeepalive = "300ms"\n')
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def test_re_keying_that_the_gate_begins_loses_nothing(self):
        data = os.urandom(16 * 1024 * 1024)
        for name, way in {"login=target": self.gate.by_login, "-J": self.gate.by_jump}.items():
            with self.subTest(way=name):
                both = run(way("cat", options=["-v"]), data, timeout=120)
                self.assertEqual((both.returncode, hashlib.sha256(both.stdout).digest()), (0, hashlib.sha256(data).digest()))
                self.assertGreater(both.stderr.count(b"SSH2_MSG_KEXINIT received"), 8)

    def test_silent_sessions_get_keepalives_and_go_on(self):
        got = run(self.gate.by_login("sleep 1.2; echo done", options=["-v"]))
        self.assertEqual((got.returncode, got.stdout), (0, b"done\n"))
        self.assertGreaterEqual(got.stderr.count(b"rtype keepalive@openssh.com"), 2, got.stderr[-3000:])


class Recordings(unittest.TestCase):
    def test_casts_play_and_transcripts_hold_the_output(self):
        with harness.laboratory(policy=ALLOW_ALL) as gate:
            for way in (gate.by_login, gate.by_jump):
                self.assertEqual(run(way("echo out-$((40+2)); echo err-$((40+3)) >&2; cat"), b"typed\n").returncode, 0)
            harness.wait_for(lambda: sum(1 for leaf in gate.ledger() if leaf["kind"] == "seal") >= 2, what="both seals")
            casts = gate.casts()
            self.assertEqual(len(casts), 2)
            for cast in casts:
                # asciinema wants a controlling terminal.
                played = subprocess.run(["script", "-qefc", f"asciinema cat {cast}", "/dev/null"], capture_output=True, timeout=30,
                                        stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8", HOME=gate.folder))
                self.assertEqual(played.returncode, 0, played)
                for part in (b"out-42", b"err-43", b"typed"):
                    self.assertIn(part, played.stdout)
                session = os.path.basename(cast)[:-len(".cast")]
                text = gate.verb("export", session, "--text", check=True).stdout
                for part in ("out-42", "err-43", "typed"):
                    self.assertIn(part, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
