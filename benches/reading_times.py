#!/usr/bin/env python3
"""Measures how long the reading of SCIM itself takes, with Criterion (benches/scim.rs).

    benches/reading_times.py            prints the table
    benches/reading_times.py --write    puts it into docs/performance.md

Needs nothing but Python 3 and cargo.
"""

import argparse
import os
import re
import subprocess
import sys
import time

from run_times import ROOT, machine, publish, table

BEGIN, END = "<!-- measured: benches/reading_times.py --write -->", "<!-- end of measured reading -->"
# What each group of benchmarks does, in the order of the table.
WORDS = {
    "filter/parse": "parse a filter",
    "filter/evaluate": "evaluate it on a user",
    "patch/parse": "parse a PATCH of three operations",
    "patch/apply to a user": "apply it to a user",
    "patch/members of": "add and remove a member, members before",
    "resource/project": "project a user",
    "resource/validate": "validate a user",
    "resource/compare": "compare two users",
}


def nanoseconds(count):
    return f"{count / 1000:,.2f} µs" if count < 1e6 else f"{count / 1e6:,.2f} ms"


def rows(output):
    found = re.findall(r"^test (.+?) \.\.\. bench: +([\d,]+) ns/iter \(\+/- ([\d,]+)\)", output, re.M)
    if len(found) < 10:
        sys.exit(f"the benchmarks did not say what was expected:\n{output}")
    for name, middle, spread in found:
        start = next((start for start in WORDS if name == start or name.startswith(f"{start}/")), None)
        if start is None:
            sys.exit(f"{name} has no words in {__file__}")
        what = name[len(start) + 1:]
        shown = f"{WORDS[start]}: {what}" if what else WORDS[start]
        count = int(middle.replace(",", ""))
        yield list(WORDS).index(start), [shown, nanoseconds(count), f"± {nanoseconds(int(spread.replace(',', '')))}",
                                         f"{1e9 / count:,.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    command = ["cargo", "bench", "--locked", "--bench", "scim", "--", "--output-format", "bencher",
               "--warm-up-time", "0.5", "--measurement-time", "1.5"]
    ran = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    lines = [row for _, row in sorted(rows(ran.stdout), key=lambda pair: pair[0])]
    text = "\n".join([
        BEGIN, "", f"{time.strftime('%Y-%m-%d', time.gmtime())}, load before the start {before:.1f}. {machine()}.", "",
        table(["", "time", "", "a second"], lines), "", END,
    ])
    publish(text, BEGIN, END, options.write)


if __name__ == "__main__":
    main()
