# SPDX-License-Identifier: Apache-2.0
"""Clients that cost less than a process each: SSH connections of this process, and a reviewer on the control socket."""
import base64
import json
import socket
import time

import paramiko


def host_key(line):
    kind, blob = line.split()[:2]
    return paramiko.PKey.from_type_string(kind, base64.b64decode(blob)) if hasattr(paramiko.PKey, "from_type_string") \
        else paramiko.Ed25519Key(data=base64.b64decode(blob))


class Connection:
    """One authenticated SSH connection, by way of `over` (another Connection and a target's name) if given."""

    def __init__(self, port, login, key_file, expected_host_key, over=None):
        if over is None:
            peer = socket.create_connection(("127.0.0.1", port), 30)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.outer, name = over
            peer = self.outer.transport.open_channel("direct-tcpip", (name, 22), ("127.0.0.1", 0), timeout=30)
        self.transport = paramiko.Transport(peer)
        options = self.transport.get_security_options()
        options.kex = ("curve25519-sha256@libssh.org",)
        self.transport.start_client(timeout=60)
        if self.transport.get_remote_server_key() != host_key(expected_host_key):
            raise RuntimeError("not the server we started")
        self.transport.auth_publickey(login, paramiko.Ed25519Key.from_private_key_file(key_file))

    def ask(self, command):
        """Sends an exec request and does not wait for its answer: a held one has none yet."""
        channel = self.transport.open_session(timeout=60)
        message = paramiko.Message()
        message.add_byte(bytes([98]))  # SSH_MSG_CHANNEL_REQUEST, RFC 4254, 5.4
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(False)
        message.add_string(command)
        self.transport._send_user_message(message)
        return channel

    def run(self, command):
        """Runs a command to its end: seconds from the request to the first byte of output, the output, the status."""
        channel = self.transport.open_session(timeout=60)
        start = time.perf_counter()
        channel.exec_command(command)
        first, output = first_byte(channel, start)
        while block := channel.recv(65536):
            output += block
        status = channel.recv_exit_status()
        channel.close()
        return first, output, status

    def close(self):
        self.transport.close()
        if hasattr(self, "outer"):
            self.outer.close()


def first_byte(channel, start):
    channel.settimeout(60)
    block = channel.recv(65536)
    return time.perf_counter() - start, block


class Reviewer:
    """The control socket (proxy/control/README.md), as the person that this Unix user is."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.id = 0

    def send(self, verb, **args):
        self.id += 1
        self.socket.sendall(json.dumps({"v": 1, "id": self.id, "verb": verb, "args": args}).encode() + b"\n")

    def answer(self):
        """The items of the last request and its reply."""
        items = []
        while True:
            line = json.loads(self.lines.readline())
            if "status" in line:
                return items, line
            items.append(line["item"])

    def ask(self, verb, **args):
        self.send(verb, **args)
        return self.answer()

    def close(self):
        self.lines.close()
        self.socket.close()
