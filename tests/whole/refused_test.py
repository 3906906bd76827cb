# SPDX-License-Identifier: Apache-2.0
"""What is not offered yet, or never: refused with a sentence or a channel failure, whatever the policy says (here it allows anything)."""
import os
import socket
import subprocess
import unittest

import paramiko

import harness
from harness import ALLOW_ALL, LOGIN, run


class Refused(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scope = harness.laboratory(policy=ALLOW_ALL)
        cls.gate = cls.scope.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.scope.__exit__(None, None, None)

    def ways(self):
        return {"login=target": self.gate.by_login, "-J": self.gate.by_jump}

    def refused(self, argv, words, stdin=b""):
        got = run(argv, stdin)
        self.assertEqual(got.returncode, 126, got)
        self.assertIn(words, got.stdout + got.stderr)
        self.assertIn(b"ptygate: ", got.stdout + got.stderr)

    def sessions(self):
        return sum(1 for leaf in self.gate.ledger() if leaf["kind"] == "session_opened")

    def test_shells_pty_commands_and_subsystems_end_with_126_and_say_what_is_possible(self):
        before = self.sessions()
        for name, way in self.ways().items():
            with self.subTest(way=name):
                self.refused(way(), b"interactive shells are not possible yet", b"touch P\n")
                self.refused(way(options=["-tt"]), b"interactive shells are not possible yet")
                self.refused(way("id", options=["-tt"]), b"run the command without -t")
                self.refused(way("sftp", options=["-s"]), b"subsystems")
        self.assertEqual(self.sessions(), before)

    def test_sftp_and_scp_end_with_an_error(self):
        options = self.gate.base("bot")[1:]
        port = ["-P", str(self.gate.agents_port)]
        there = f"{LOGIN}=web1@127.0.0.1"
        for argv in (["sftp", *options, *port, "-b", "-", there], ["scp", *options, *port, "/etc/hostname", f"{there}:stolen"]):
            with self.subTest(program=argv[0]):
                self.assertNotEqual(run(argv, b"ls\n").returncode, 0)

    def forwarded(self, argv, port, greeting=b""):
        """What comes back through a forward that a client offers on `port`."""
        client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def connected():
            self.assertIsNone(client.poll(), "the client ended")
            try:
                return socket.create_connection(("127.0.0.1", port), 5)
            except ConnectionRefusedError:
                return None
        try:
            with harness.wait_for(connected, what="the client listens") as peer:
                peer.settimeout(20)
                if greeting:
                    peer.sendall(greeting)
                try:
                    return peer.recv(100)
                except ConnectionResetError:
                    return b""
        finally:
            client.kill()  # ssh can miss a SIGTERM that comes while it is busy, and then waits for the next packet
            client.wait()

    def test_local_forwards_reach_nothing(self):
        port = harness.free_port()
        for name, way in self.ways().items():
            with self.subTest(way=name):
                argv = way(options=["-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{self.gate.target.port}"])
                self.assertEqual(self.forwarded(argv, port), b"")

    def test_dynamic_forwards_reach_nothing(self):
        port = harness.free_port()
        target = self.gate.target.port
        # SOCKS4: connect to 127.0.0.1; a granted request would be answered 0x00 0x5a and then by the target's greeting.
        greeting = b"\x04\x01" + target.to_bytes(2, "big") + b"\x7f\0\0\1" + b"\0"
        for name, way in self.ways().items():
            with self.subTest(way=name):
                self.assertNotIn(b"SSH-", self.forwarded(way(options=["-N", "-D", f"127.0.0.1:{port}"]), port, greeting)[8:])

    def test_a_target_login_cannot_open_a_way_to_elsewhere(self):
        for where in (f"127.0.0.1:{self.gate.target.port}", "web1:22", "127.0.0.1:22"):
            got = run(self.gate.by_login(options=["-W", where]))
            self.assertNotEqual(got.returncode, 0)
            self.assertEqual(got.stdout, b"")

    def test_a_jump_ends_in_the_gate_and_never_in_the_targets_server(self):
        for where in (f"127.0.0.1:{self.gate.target.port}", "[web1]:22", "192.0.2.1:22"):
            with self.subTest(where=where):
                argv = self.gate.base("bot", ["-W", where]) + ["-p", str(self.gate.agents_port), "bot@127.0.0.1"]
                client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                try:
                    self.assertIn(b"ptygate", client.stdout.readline())
                finally:
                    client.stdin.close()
                    harness.end(client)
                    client.stdout.close()

    def test_remote_forwards_are_refused(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                got = run(way("echo ran", options=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"]))
                self.assertEqual((got.returncode, got.stdout), (255, b""), got)
                self.assertIn(b"forward", got.stderr)

    def test_x11_is_refused_and_the_command_runs_without(self):
        for name, way in self.ways().items():
            with self.subTest(way=name):
                got = subprocess.run(way("echo display=$DISPLAY", options=["-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes"]),
                                     env=dict(os.environ, DISPLAY=":77"), capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
                self.assertEqual((got.returncode, got.stdout), (0, b"display=\n"), got)

    def test_x11_by_a_library_is_refused(self):
        with harness.paramiko_connection(self.gate) as transport:
            with self.assertRaises(paramiko.SSHException):
                transport.open_session().request_x11(auth_protocol="MIT-MAGIC-COOKIE-1", auth_cookie="00")

    def test_agent_forwarding_is_refused_and_the_command_runs_without(self):
        path = os.path.join(self.gate.folder, "agent.sock")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
        try:
            harness.wait_for(lambda: os.path.exists(path), what="ssh-agent")
            for name, way in self.ways().items():
                with self.subTest(way=name):
                    got = run(way("echo socket=$SSH_AUTH_SOCK; sleep 0.3; echo end", options=["-o", f"ForwardAgent={path}"]))
                    self.assertEqual((got.returncode, got.stdout), (0, b"socket=\nend\n"), got)
        finally:
            harness.end(agent)

    def test_keys_do_not_open_the_other_listener(self):
        strangers = {"an agent among people": self.gate.base("bot") + ["-p", str(self.gate.people_port), "bot@127.0.0.1", "whoami"],
                     "an agent as a person": self.gate.base("bot") + ["-p", str(self.gate.people_port), "alice@127.0.0.1", "whoami"],
                     "a person among agents": self.gate.base("alice") + ["-p", str(self.gate.agents_port), "alice@127.0.0.1", "whoami"],
                     "a person on a target": self.gate.by_login("id", key="alice"),
                     "a person by a jump": self.gate.by_jump("id", key="alice")}
        for name, argv in strangers.items():
            with self.subTest(who=name):
                got = run(argv)
                self.assertEqual((got.returncode, got.stdout), (255, b""))
                self.assertIn(b"ermission denied" if "jump" not in name else b"", got.stderr)

    def test_verbs_of_people_are_not_for_agents(self):
        for verb in ("pending", "approve 1-aaaa", "deny 1 --reason x", "review", "sessions", "reload", "agents list", "serve", "init /tmp/x"):
            with self.subTest(verb=verb):
                got = run(self.gate.base("bot") + ["-p", str(self.gate.agents_port), "bot@127.0.0.1", verb])
                self.assertIn(got.returncode, (2, 4), got)
                self.assertEqual(got.stdout, b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
