#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the fuzz corpora of this folder: blobs and lines of the vectors, and agent messages for the login and key that the harness permits."""
import base64
import pathlib
import struct

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "certs"


def string(data):
    return struct.pack(">I", len(data)) + data


def write(harness, name, data):
    folder = HERE / "corpus" / harness
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def certificates():
    for name in ("good-subject-ed25519", "good-subject-ecdsa256", "good-subject-rsa", "good-source-address-v4", "good-host", "form-options-unsorted",
                 "option-force-command-not-enforced", "authority-is-certificate"):
        line = (VECTORS / f"{name}.vector").read_text().split("\n\n")[1]
        write("certificate_fuzz", name, base64.b64decode(line.split()[1]))
        if name == "good-host":
            write("certificate_fuzz", name + "-line", line.encode())
    for line in (VECTORS / "keys.txt").read_text().splitlines():
        _, kind, blob, comment = line.split(" ", 3)
        write("certificate_fuzz", "key-" + kind.split("@")[0], base64.b64decode(blob))
    write("certificate_fuzz", "key-line", line.split(" ", 1)[1].encode())
    write("certificate_fuzz", "address-list", b"192.0.2.0/24,2001:db8::/32,::1")


def agent_messages():
    public = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key = string(b"ssh-ed25519") + string(public)

    def data(login):
        return (string(b"i" * 32) + b"\x32" + string(login) + string(b"ssh-connection") + string(b"publickey") + b"\1" + string(b"ssh-ed25519") + string(key))

    def sign(login):
        return string(b"\x0d" + string(key) + string(data(login)) + struct.pack(">I", 0))

    write("agent_protocol_fuzz", "identities", string(b"\x0b"))
    write("agent_protocol_fuzz", "sign-permitted", sign(b"deploy"))
    write("agent_protocol_fuzz", "sign-other-login", sign(b"root"))
    write("agent_protocol_fuzz", "conversation", string(b"\x0b") + sign(b"deploy") + string(b"\x11rest"))
    write("agent_protocol_fuzz", "data-permitted", data(b"deploy"))


certificates()
agent_messages()
