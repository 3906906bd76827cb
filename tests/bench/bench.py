# SPDX-License-Identifier: Apache-2.0
"""scripts/bench: direct sshd, `ssh -J` through a second sshd, and the gate by both ways in, interleaved in one run."""
import argparse
import dataclasses
import json
import sys

import machine
from lab import Lab
from rows import ROWS, Wrong, progress

QUIET_LOAD, QUIET_SPREAD = 0.3, 0.15


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of which the median is taken (default 5)")
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help="one row; may be repeated: " + ", ".join(ROWS))
    parser.add_argument("--size", type=int, default=512, metavar="MIB", help="bytes of a transfer (default 512)")
    parser.add_argument("--stall", type=int, default=60, metavar="SECONDS", help="how long readers stall (default 60)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    found = parser.parse_args()
    if found.rounds < 1 or found.size < 1 or found.stall < 1:
        parser.error("--rounds, --size and --stall are at least 1")
    return found


def noise(about, lines):
    """Why the figures do not count; empty on a quiet machine."""
    reasons = []
    if about["load_before"] >= QUIET_LOAD:
        reasons.append(f"load {about['load_before']} before the start, {QUIET_LOAD} is the most")
    reasons += [f"direct {line.row} spreads by {line.spread:.0%}, under {QUIET_SPREAD:.0%} is asked"
                for line in lines if line.spread is not None and line.spread >= QUIET_SPREAD]
    return reasons


def print_table(lines):
    cells = [("row", "way", "median", "unit", "ratio", "target", "", "")]
    for line in lines:
        ratio = f"{line.ratio:.2f} of {line.base}" if line.ratio is not None else ""
        note = line.note if line.spread is None else f"spread {line.spread:.0%}"
        verdict = "" if line.ok is None else "ok" if line.ok else "MISS"
        cells.append((line.row, line.way, f"{line.value:.2f}", line.unit, ratio, line.target, verdict, note))
    width = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        print("  ".join(cell.rjust(width[column]) if column == 2 else cell.ljust(width[column])
                        for column, cell in enumerate(row)).rstrip())


def main():
    asked = options()
    about = machine.describe()
    lines, wrong = [], []
    lab = Lab(asked.size)
    try:
        sync = machine.fdatasync_ms(lab.gate.dir)
        about["fdatasync_p50_ms"], about["fdatasync_p99_ms"] = (round(machine.percentile(sync, share), 3) for share in (50, 99))
        for name, row in ROWS.items():
            if not asked.only or name in asked.only:
                progress(f"-- {name}")
                try:
                    lines += row(lab, asked.stall if name == "stalled" else asked.rounds)
                except Exception as error:  # the other rows are still worth having; the run fails all the same
                    if not isinstance(error, Wrong):
                        progress(lab.gate.log()[-2000:])
                    wrong.append(f"{name}: {type(error).__name__}: {error}")
                    progress("WRONG " + wrong[-1])
    finally:
        lab.close()

    print(f"{about['cores']} cores, {about['cpu']}, Linux {about['kernel']}, load {about['load_before']} before")
    print(f"libssh {about['libssh']}, OpenSSL {about['openssl']}, libuv {about['libuv']}, {about['openssh']}")
    print(f"fdatasync of 4 KiB in the gate's directory: p50 {about['fdatasync_p50_ms']} ms, p99 {about['fdatasync_p99_ms']} ms")
    print(f"{asked.rounds} rounds, transfers of {asked.size} MiB, {Lab.gate_workers()} workers, every leg curve25519-sha256 and aes128-gcm, ledger synced\n")
    print_table(lines)
    noisy = noise(about, lines)
    if about["fdatasync_p50_ms"] >= 0.3:
        noisy_disk = "fdatasync p50 is 0.3 ms or more: the target of warm exec does not apply here"
        print("\n" + noisy_disk)
    for reason in noisy:
        print(f"\nNOISY: {reason}")
    for reason in wrong:
        print(f"\nWRONG: {reason}")
    missed = [line for line in lines if line.ok is False]
    print(f"\n{len(missed)} missed" + (" (NOISY: the figures do not count)" if noisy else ""))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"machine": about, "rounds": asked.rounds, "size_mib": asked.size, "noisy": noisy, "wrong": wrong,
                       "lines": [dataclasses.asdict(line) for line in lines]}, file, indent=1)
            file.write("\n")
    return 2 if wrong else 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
