#!/usr/bin/env python3
"""Measures how fast `scimspec fuzz filter` asks, beside the raw load of the same requests on the same server.

    benches/fuzz_load.py                prints the table
    benches/fuzz_load.py --write        puts it into docs/performance.md
    benches/fuzz_load.py --binary FILE  with a binary that is there already, to try the script out

Needs Python 3, cargo and wrk (Debian's package wrk); scim2-server is installed into .interop at pinned versions. Of each
server there are three runs of fuzzing with one seed. The first is measured as anybody would run it, from its start to its
end: probe, resources and clean-up are in it. The second keeps all that it asked. The third is halted midway, while its
resources are there: then wrk sends the filters of the second one over and over, with the mark of the third, over the same
number of connections. What was refused is left out, and an answer that is no success ends the measurement.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, unquote

from run_times import ROOT, TOKEN, background, base_url, build, free_port, machine, publish, ready, table
from server_load import Client

BEGIN, END = "<!-- measured: benches/fuzz_load.py --write -->", "<!-- end of measured fuzzing -->"
CONNECTIONS = 4
SEED = 7
# What resources of a run are called: its mark, and what they are.
MARK = re.compile(r"(s[0-9a-z]{8})\.User\.\d\d@", re.I)

CYCLE = """
local paths, at = {}, 0
for line in io.lines("%s") do paths[#paths + 1] = line end
function request()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
"""


def command(binary, url, requests, work, report=None, keeps_all=False):
    """A run of fuzzing."""
    (work / "scimspec.toml").write_text(f"all_exchanges = {str(keeps_all).lower()}\n")
    words = [binary, "fuzz", "filter", url, "--token-env", "MEASURED_TOKEN", "--seed", str(SEED), "--requests", str(requests),
             "--in-flight", str(CONNECTIONS), "--config", str(work / "scimspec.toml")]
    return words + (["--json", str(report)] if report else [])


def environment():
    return {**os.environ, "MEASURED_TOKEN": TOKEN}


def fuzzed(binary, url, requests, work, keeps_all=False):
    """The wall time of a run, and its report."""
    report = work / "fuzzed.json"
    begun = time.perf_counter()
    ran = subprocess.run(command(binary, url, requests, work, report, keeps_all), env=environment(), cwd=work,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    wall = time.perf_counter() - begun
    # 1 is a run that found defects: that is what it is for.
    if ran.returncode not in (0, 1):
        sys.exit(f"fuzzing {url} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return wall, json.loads(report.read_text())


def is_filter(exchange):
    request = exchange["request"]
    return exchange["origin"] == "fuzz" and request["method"] == "GET" and "filter=" in request["path"]


def status(exchange):
    return (exchange["answer"].get("response") or exchange["answer"]).get("status")


def mark_in(text):
    found = MARK.search(text)
    if not found:
        sys.exit(f"no mark of a run in {text[:300]}")
    return found[1]


def raw(binary, url, requests, wall, paths, seconds, work):
    """Requests a second of wrk, with the resources of a second run in place."""
    running = subprocess.Popen(command(binary, url, requests, work), env=environment(), cwd=work,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wall * 0.4)
    running.send_signal(signal.SIGSTOP)
    try:
        if running.poll() is not None:
            sys.exit("the second run ended before it was halted: more --requests are needed")
        rows = Client(url).send("GET", "/Users?count=200")["Resources"]
        ours = [row["userName"] for row in rows if MARK.match(row["userName"])]
        if len(ours) < 10:
            sys.exit(f"only {len(ours)} resources of the halted run are there")
        old, new = mark_in(" ".join(unquote(path) for path in paths)), mark_in(ours[0])
        base = re.sub(r"^https?://[^/]+", "", url)
        listed = work / "paths.txt"
        listed.write_text("".join(f"{base}{renamed(path, old, new)}\n" for path in paths))
        script = work / "cycle.lua"
        script.write_text(CYCLE % listed)
        ran = subprocess.run(
            ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--timeout", "30s",
             "--header", f"Authorization: Bearer {TOKEN}", "--script", str(script), url],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    finally:
        running.send_signal(signal.SIGCONT)
    if running.wait(timeout=600) not in (0, 1):
        sys.exit("the second run came to nothing")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)
    if ran.returncode or not rate or "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"{ran.stdout}{ran.stderr}")
    return float(rate[1])


def renamed(path, old, new):
    """The same filter about the resources of another run, in the case that it is written in."""
    def other(found):
        return new.upper() if found[0].isupper() else new
    head, value, tail = re.match(r"(.*?filter=)([^&]*)(.*)", path).groups()
    return head + quote(re.sub(re.escape(old), other, unquote(value), flags=re.I), safe="") + tail


def measured(name, binary, url, requests, seconds, work):
    wall, found = fuzzed(binary, url, requests, work)
    asked, filters = found["summary"]["requests"] / wall, found["fuzz"]["tried"] / wall
    # What is kept is bounded, so that of a long run only the beginning would be there.
    some = min(requests, 2000)
    exchanges = fuzzed(binary, url, some, work, keeps_all=True)[1]["exchanges"]
    paths = [it["request"]["path"] for it in exchanges if is_filter(it) and status(it) == 200]
    load = raw(binary, url, requests, wall, paths, seconds, work)
    return [name, f"{asked:,.0f}/s", f"{load:,.0f}/s", f"{100 * asked / load:.0f} %", f"{filters:,.0f}/s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--seconds", type=int, default=5, help="how long wrk measures (default 5)")
    parser.add_argument("--requests", type=int, default=5000, help="the requests of a run (default 5000)")
    parser.add_argument("--binary", type=Path, help="a binary that is there already, instead of a release build")
    options = parser.parse_args()
    (ROOT / ".interop").mkdir(exist_ok=True)
    binary = options.binary or build()
    rows = []
    with tempfile.TemporaryDirectory(prefix="scimspec-fuzz-") as directory:
        work = Path(directory)
        before = os.getloadavg()[0]
        log = work / "serve.log"
        with background([binary, "serve", "--token", TOKEN, "--log", "off"], log) as process:
            url = base_url(process, log)
            ready(process, url)
            rows.append(measured("`scimspec serve`", binary, url, options.requests, options.seconds, work))
        script = ROOT / "tests" / "interop" / "scim2-server.sh"
        subprocess.run([script, "install"], check=True, stdin=subprocess.DEVNULL)
        port = free_port()
        url = f"http://127.0.0.1:{port}/v2"
        with background([script, "serve", str(port), TOKEN], work / "other.log") as process:
            ready(process, url)
            # It answers some forty requests a second.
            requests = max(300, options.requests // 8)
            rows.append(measured("scim2-server 0.8.3", binary, url, requests, options.seconds, work))
    head = ["", "requests of `fuzz filter`", "requests of wrk", "ratio", "filters judged"]
    text = "\n".join([
        BEGIN, "",
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {CONNECTIONS} connections on the same two cores, {options.seconds} s of wrk, "
        f"load before the start {before:.1f}. {machine()}.", "",
        table(head, rows), "", END,
    ])
    publish(text, BEGIN, END, options.write)


if __name__ == "__main__":
    main()
