#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the certificate vectors of this folder anew with ssh-keygen (fresh keys each time; private keys are thrown away).

Each *.vector file: header lines "name: value", an empty line, then one certificate line. Headers: expect (an error class of
certs/error.h, or "ok"), now (seconds since 1970), and optionally type, principal, source. authorities.txt holds the trusted keys;
keys.txt has one public key per line after the fingerprint that ssh-keygen -l gives it.
Not run by the build: vectors are made at commit time, so that what is tested is what was reviewed.
"""
import base64
import datetime
import os
import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
NOW = 1_790_000_000  # 2026-09-21T14:13:20Z
AFTER, BEFORE = NOW - 3600, NOW + 3600


def keygen(*args):
    subprocess.run(["ssh-keygen", "-q", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y%m%d%H%M%S")


def window(after, before):
    # ssh-keygen of OpenSSH 9.2 reads local time; the caller's TZ is set to UTC below.
    return f"{utc(after)}:{utc(before) if before else 'forever'}"


class Maker:
    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.cas = {}
        for kind, bits in (("ed25519", None), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")):
            name = kind + (bits if kind == "ecdsa" else "")
            self.key("ca_" + name, kind, bits)
            self.key("user_" + name, kind, "2048" if kind == "rsa" else bits)
            self.cas[name] = self.work / ("ca_" + name)
        self.key("ca_foreign", "ed25519", None)
        for old in HERE.glob("*.vector"):
            old.unlink()

    def key(self, name, kind, bits):
        keygen("-t", kind, *(["-b", bits] if bits else []), "-N", "", "-C", "", "-f", str(self.work / name))

    def certificate(self, subject="ed25519", ca="ed25519", principals="deploy", after=AFTER, before=BEFORE, host=False, options=(), algorithm=None,
                    serial=7, key_id="vector"):
        key = self.work / ("user_" + subject + ".pub")
        out = self.work / ("user_" + subject + "-cert.pub")
        ca_key = self.work / ("ca_" + ca)
        args = ["-s", str(ca_key), "-I", key_id, "-z", str(serial), "-V", window(after, before)]
        args += ["-n", principals] if principals else []
        args += ["-h"] if host else []
        args += ["-t", algorithm] if algorithm else []
        for option in options:
            args += ["-O", option]
        keygen(*args, str(key))
        kind, blob = out.read_text().split()[:2]
        return kind, base64.b64decode(blob)

    def write(self, name, expect, made, **headers):
        kind, blob = made
        lines = [f"expect: {expect}", f"now: {headers.pop('now', NOW)}"] + [f"{k}: {v}" for k, v in headers.items()]
        (HERE / f"{name}.vector").write_text("\n".join(lines) + f"\n\n{kind} {base64.b64encode(blob).decode()}\n")


def string(data):
    return struct.pack(">I", len(data)) + data


def fields(blob):
    """The wire fields of an ed25519 certificate, in order; numbers as their bytes."""
    at, out = 0, []
    for kind in "sssQIssQQsssss":
        if kind == "s":
            length = struct.unpack_from(">I", blob, at)[0]
            out.append(blob[at + 4 : at + 4 + length])
            at += 4 + length
        else:
            width = struct.calcsize(">" + kind)
            out.append(blob[at : at + width])
            at += width
    assert at == len(blob)
    return out


NUMBERS = {3, 4, 7, 8}
TYPE, NONCE, PK, SERIAL, CERT_TYPE, KEY_ID, PRINCIPALS, VALID_AFTER, VALID_BEFORE, CRITICAL, EXTENSIONS, RESERVED, CA_KEY, SIGNATURE = range(14)


def changed(made, **changes):
    kind, blob = made
    parts = fields(blob)
    for name, value in changes.items():
        parts[globals()[name]] = value
    return kind, b"".join(p if i in NUMBERS else string(p) for i, p in enumerate(parts))


def fingerprint(line):
    out = subprocess.run(["ssh-keygen", "-l", "-E", "sha256", "-f", "/dev/stdin"], input=line, text=True, check=True, capture_output=True).stdout
    return out.split()[1]


def security_key(line):
    """The same point as a token's key: what ssh-keygen would have made with a token at hand."""
    blob, at, parts = base64.b64decode(line.split()[1]), 0, []
    while at < len(blob):
        length = struct.unpack_from(">I", blob, at)[0]
        parts.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    parts[0] = b"sk-" + parts[0] + b"@openssh.com"
    return f"{parts[0].decode()} {base64.b64encode(b''.join(map(string, parts)) + string(b'ssh:')).decode()}"


def write_keys(maker):
    lines = [" ".join((maker.work / f"user_{name}.pub").read_text().split()[:2]) for name in maker.cas]
    lines += [security_key(lines[0]), security_key(lines[1])]
    (HERE / "keys.txt").write_text("".join(f"{fingerprint(line + chr(10))} {line} comment of {line.split()[0]}\n" for line in lines))


def main():
    with tempfile.TemporaryDirectory() as work:
        m = Maker(work)
        trusted = [(m.work / f"ca_{name}.pub").read_text().split() for name in m.cas]
        (HERE / "authorities.txt").write_text("".join(f"{t[0]} {t[1]}\n" for t in trusted))
        write_keys(m)
        for name in m.cas:
            m.write(f"good-subject-{name}", "ok", m.certificate(subject=name))
            m.write(f"good-authority-{name}", "ok", m.certificate(ca=name))
        m.write("good-rsa-sha2-256", "ok", m.certificate(ca="rsa", algorithm="rsa-sha2-256"))
        m.write("good-host", "ok", m.certificate(host=True, principals="web1.example.net"), type="host", principal="web1.example.net")
        m.write("good-second-principal", "ok", m.certificate(principals="admin,deploy"))
        m.write("good-forever", "ok", m.certificate(before=None))
        m.write("good-first-second", "ok", m.certificate(), now=AFTER)
        m.write("good-last-second", "ok", m.certificate(), now=BEFORE - 1)
        m.write("good-unknown-extension", "ok", m.certificate(options=["extension:note@example.net=x"]))
        m.write("good-control-bytes-in-key-id", "ok", m.certificate(key_id="\x1b[2Jvector"))
        src = m.certificate(options=["source-address=192.0.2.0/24,2001:db8::/32"])
        m.write("good-source-address-v4", "ok", src, source="192.0.2.9")
        m.write("good-source-address-v6", "ok", src, source="2001:db8::1")
        m.write("good-source-address-mapped", "ok", src, source="::ffff:192.0.2.9")
        m.write("source-address-other-v4", "SourceAddressRefused", src, source="192.0.3.1")
        m.write("source-address-other-v6", "SourceAddressRefused", src, source="2001:db9::1")
        m.write("source-address-peer-unknown", "SourceAddressRefused", src)
        m.write("source-address-peer-garbage", "SourceAddressRefused", src, source="192.0.2")
        m.write("expired-by-a-second", "Expired", m.certificate(), now=BEFORE)
        m.write("expired-long-ago", "Expired", m.certificate(after=NOW - 7200, before=NOW - 3600))
        m.write("not-yet-by-a-second", "NotYetValid", m.certificate(), now=AFTER - 1)
        m.write("not-yet-clock-before-1970", "NotYetValid", m.certificate(), now=-1)
        m.write("authority-foreign", "UnknownAuthority", m.certificate(ca="foreign"))
        m.write("principal-other", "PrincipalNotListed", m.certificate(principals="root,admin"))
        m.write("principal-longer", "PrincipalNotListed", m.certificate(principals="deploy2"))
        m.write("principal-wildcard", "PrincipalNotListed", m.certificate(principals="dep*"))
        m.write("principals-none", "EmptyPrincipals", m.certificate(principals=""))
        m.write("type-host-for-user", "WrongType", m.certificate(host=True))
        m.write("type-user-for-host", "WrongType", m.certificate(), type="host")
        m.write("option-critical-unknown", "UnknownCriticalOption", m.certificate(options=["critical:lock@example.net=x"]))
        m.write("option-force-command-not-enforced", "UnknownCriticalOption", m.certificate(options=["force-command=uptime"]))
        m.write("option-verify-required", "UnknownCriticalOption", m.certificate(options=["verify-required"]))
        m.write("signature-sha1", "UnsupportedAlgorithm", m.certificate(ca="rsa", algorithm="ssh-rsa"))

        good = m.certificate()
        parts = fields(good[1])
        kind = good[0]
        m.write("form-trailing-byte", "Malformed", (kind, good[1] + b"\0"))
        m.write("form-last-byte-missing", "Malformed", (kind, good[1][:-1]))
        m.write("form-empty", "Malformed", (kind, b""))
        m.write("form-type-named-otherwise", "Malformed", ("ecdsa-sha2-nistp256-cert-v01@openssh.com", good[1]))
        m.write("form-plain-key", "UnsupportedAlgorithm", ("ssh-ed25519", string(b"ssh-ed25519") + string(parts[PK])))
        m.write("form-short-public-key", "Malformed", changed(good, PK=parts[PK][:-1]))
        m.write("form-reserved-not-empty", "Malformed", changed(good, RESERVED=b"x"))
        m.write("form-cert-type-3", "Malformed", changed(good, CERT_TYPE=struct.pack(">I", 3)))
        m.write("form-nul-in-principal", "Malformed", changed(good, PRINCIPALS=string(b"deploy\0x")))
        m.write("form-nul-in-key-id", "Malformed", changed(good, KEY_ID=b"a\0b"))
        m.write("form-empty-principal", "Malformed", changed(good, PRINCIPALS=string(b"") + string(b"deploy")))
        m.write("form-principals-cut", "Malformed", changed(good, PRINCIPALS=string(b"deploy")[:-1]))
        m.write("form-options-unsorted", "Malformed", changed(good, EXTENSIONS=string(b"permit-user-rc") + string(b"") + string(b"permit-pty") + string(b"")))
        m.write("form-option-twice", "Malformed", changed(good, EXTENSIONS=(string(b"permit-pty") + string(b"")) * 2))
        m.write("form-option-without-name", "Malformed", changed(good, EXTENSIONS=string(b"") + string(b"")))
        m.write("form-flag-with-data", "Malformed", changed(good, EXTENSIONS=string(b"permit-pty") + string(b"x")))
        m.write("form-force-command-bare", "Malformed", changed(good, CRITICAL=string(b"force-command") + string(b"uptime")))
        m.write("large-too-many-principals", "TooLarge", changed(good, PRINCIPALS=string(b"p") * 257))
        m.write("large-too-many-options", "TooLarge", changed(good, EXTENSIONS=b"".join(string(b"x%03d@example.net" % i) + string(b"") for i in range(65))))
        m.write("large-key-id", "TooLarge", changed(good, KEY_ID=b"k" * 1025))
        m.write("large-nonce", "TooLarge", changed(good, NONCE=b"n" * 65))
        m.write("authority-is-certificate", "AuthorityIsCertificate", changed(good, CA_KEY=good[1]))
        m.write("authority-dsa", "UnsupportedAlgorithm", changed(good, CA_KEY=string(b"ssh-dss") + string(b"x") * 4))
        m.write("signature-over-another-serial", "BadSignature", changed(good, SERIAL=struct.pack(">Q", 8)))
        m.write("signature-over-another-principal", "BadSignature", changed(m.certificate(principals="root"), PRINCIPALS=string(b"deploy")))
        m.write("signature-over-options-dropped", "BadSignature", changed(m.certificate(options=["force-command=uptime"]), CRITICAL=b""))
        sig = bytearray(parts[SIGNATURE])
        sig[-1] ^= 1
        m.write("signature-bit-flipped", "BadSignature", changed(good, SIGNATURE=bytes(sig)))
        m.write("signature-trailing-byte", "Malformed", changed(good, SIGNATURE=parts[SIGNATURE] + b"\0"))
        m.write("signature-empty", "Malformed", changed(good, SIGNATURE=b""))
        m.write("signature-of-other-format", "UnsupportedAlgorithm", changed(good, SIGNATURE=string(b"rsa-sha2-256") + string(b"x" * 64)))
        src_bad = m.certificate(options=["critical:source-address=zzz"])
        m.write("source-address-unsound", "SourceAddressRefused" if b"\0\0\0\x07\0\0\0\x03zzz" in src_bad[1] else "Malformed", src_bad, source="192.0.2.1")


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main()
