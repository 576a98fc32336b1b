#!/usr/bin/env python3
"""Measures what docs/performance.md says: times, CPU, memory and requests of scimspec, and of scim2-tester beside it.

    benches/run_times.py            prints the tables
    benches/run_times.py --faults   prints how many planted faults each of the two catches instead (some minutes)
    benches/run_times.py --write    puts them into docs/performance.md, with or without --faults

Needs nothing but Python 3 and cargo; scim2-server and scim2-tester are installed into .interop at pinned versions.
Everything runs on the loopback address. CPU and memory are those of the finished process, as the kernel counts them
(wait4), so a server in a process of its own is not in them. Every command must succeed: a figure of a failed run is
not printed.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: benches/run_times.py --write -->", "<!-- end of measured -->"
FAULTS_BEGIN = "<!-- measured: benches/run_times.py --faults --write -->"
FAULTS_END = "<!-- end of measured faults -->"
# The same faults for both testers, and in every run of this script.
SAMPLE_SEED = 20150915
TOKEN = "measured-s3cr3t-token"
TESTER = ["scim2-cli==0.6.0", "scim2-tester==0.5.2"]
READY_WITHIN = 30.0
RUN_WITHIN = 120.0


@dataclass
class Cost:
    """What one process took."""

    wall: float
    cpu: float
    peak: float  # MiB
    output: str


def measure(command, *, env=None, accept=(0,)):
    """Runs a command to its end and says what it cost."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, cwd=ROOT / ".interop",
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode(errors="replace")
    if process.returncode not in accept:
        sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}\n{output}")
    if wall > RUN_WITHIN:
        sys.exit(f"{' '.join(map(str, command))}\ntook {wall:.0f} s")
    # ru_maxrss is in KiB on Linux.
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def median(costs, field):
    return statistics.median(getattr(cost, field) for cost in costs)


def slowest(costs):
    return max(cost.wall for cost in costs)


@contextlib.contextmanager
def background(command, log):
    """A server for as long as the block runs."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ready(process, url):
    request = urllib.request.Request(f"{url}/ServiceProviderConfig", headers={"Authorization": f"Bearer {TOKEN}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_WITHIN
    while True:
        if process.poll() is not None:
            sys.exit(f"the server at {url} ended with {process.returncode}")
        try:
            with opener.open(request, timeout=2):
                return
        except OSError as trouble:
            if time.monotonic() > deadline:
                sys.exit(f"the server at {url} was not ready within {READY_WITHIN:.0f} s: {trouble}")
            time.sleep(0.05)


def build():
    """The release binary."""
    subprocess.run(["cargo", "build", "--locked", "--release"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"],
        cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release" / "scimspec"


def install_tester():
    """scim2-tester, with its command line."""
    venv = ROOT / ".interop" / "scim2-tester"
    stamp = venv / "installed.txt"
    wanted = "\n".join(TESTER)
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *TESTER], check=True)
        stamp.write_text(wanted)
    return venv / "bin" / "scim"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---' if i == 0 else '---:' for i in range(len(head)))}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def ms(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def report_of(path):
    report = json.loads(Path(path).read_text())
    summary = report["summary"]
    verdicts = summary["verdicts"]
    judged = sum(verdicts[word] for word in ("passed", "noted", "warned", "failed", "deviates"))
    return summary["requests"], judged, verdicts


def alone(scimspec, work, rounds):
    """scimspec by itself: listing, and whole runs against its own server."""
    listing = [measure([scimspec, "list"]) for _ in range(rounds * 3)]
    first = work / "embedded.json"
    embedded = [measure([scimspec, "run", "--json", first]) for _ in range(rounds)]
    requests, judged, _ = report_of(first)

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    apart = []
    with background([scimspec, "serve", "--port", str(port), "--token", TOKEN], work / "serve.log") as process:
        url = base_url(process, work / "serve.log")
        ready(process, url)
        second = work / "apart.json"
        command = [scimspec, "run", url, "--token-env", "MEASURED_TOKEN", "--json", second]
        apart = [measure(command, env={"MEASURED_TOKEN": TOKEN}) for _ in range(rounds)]
    apart_requests, apart_judged, _ = report_of(second)

    rows = [
        ["`scimspec list`", ms(median(listing, "wall")), ms(slowest(listing)), ms(median(listing, "cpu")),
         f"{median(listing, 'peak'):.1f} MiB", "0", "", ""],
        run_row("`scimspec run` (server inside)", embedded, requests, judged),
        run_row("`scimspec run URL` (`scimspec serve` apart)", apart, apart_requests, apart_judged),
    ]
    head = ["", "wall, median", "wall, worst", "CPU, median", "peak memory", "requests", "requests a case", "CPU a request"]
    return table(head, rows)


def run_row(name, costs, requests, judged):
    cpu = median(costs, "cpu")
    return [name, ms(median(costs, "wall")), ms(slowest(costs)), ms(cpu), f"{median(costs, 'peak'):.1f} MiB",
            str(requests), f"{requests / judged:.1f}", f"{cpu / requests * 1e6:.0f} µs"]


def base_url(process, log):
    """The first line that `scimspec serve` writes."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        line = Path(log).read_text().split("\n")
        if len(line) > 1:
            return line[0].strip().rstrip("/")
        time.sleep(0.01)
    sys.exit(f"scimspec serve did not say its address: {Path(log).read_text()}")


def beside_tester(scimspec, work, rounds):
    """scimspec and scim2-tester in turn, on one scim2-server."""
    script = ROOT / "tests" / "interop" / "scim2-server.sh"
    subprocess.run([script, "install"], check=True, stdin=subprocess.DEVNULL)
    tester = install_tester()
    log = work / "scim2-server.log"
    port = free_port()
    url = f"http://127.0.0.1:{port}/v2"
    found = work / "beside.json"
    ours = {"rfc": [], "okta": []}
    theirs, counted = [], {}
    with background([script, "serve", str(port), TOKEN], log) as process:
        ready(process, url)
        for _ in range(rounds):
            for profile, costs in ours.items():
                command = [scimspec, "run", url, "--token-env", "MEASURED_TOKEN", "--profile", profile, "--json", found]
                before = requests_in(log)
                # 1 is a run that found failures: that is what it is for.
                costs.append(measure(command, env={"MEASURED_TOKEN": TOKEN}, accept=(0, 1)))
                _, judged, verdicts = report_of(found)
                if verdicts["errored"] or verdicts["inconclusive"]:
                    sys.exit(f"profile {profile}: {verdicts}")
                counted[profile] = (requests_in(log) - before, judged)
            before = requests_in(log)
            theirs.append(measure([tester, "-u", url, "test"], env={"SCIM_CLI_HEADERS": f"Authorization: Bearer {TOKEN}"}))
            checks = len(re.findall(r"^(?:SUCCESS|ERROR|SKIPPED|ACCEPTABLE|DEVIATION|CRITICAL) ", theirs[-1].output, re.M))
            counted["tester"] = (requests_in(log) - before, checks)
    base = median(theirs, "wall")
    rows = []
    names = {"rfc": "`scimspec run URL`", "okta": "`scimspec run URL --profile okta`", "tester": "`scim -u URL test` (scim2-tester 0.5.2)"}
    for key, costs in [*ours.items(), ("tester", theirs)]:
        requests, checks = counted[key]
        rows.append([names[key], ms(median(costs, "wall")), f"{median(costs, 'wall') / base:.2f}", ms(median(costs, "cpu")),
                     f"{median(costs, 'peak'):.0f} MiB", str(requests), str(checks), f"{requests / checks:.1f}"])
    head = ["", "wall, median", "ratio", "CPU of the tester", "peak memory", "requests", "verdicts", "requests a verdict"]
    return table(head, rows)


RESULT = re.compile(r"^(SUCCESS|ERROR|SKIPPED|ACCEPTABLE|DEVIATION|CRITICAL) +(\S+)", re.M)


def tester_results(tester, url):
    """What scim2-tester says of a server: how often each of its checks came to what."""
    environment = {"SCIM_CLI_HEADERS": f"Authorization: Bearer {TOKEN}"}
    # Some defects end it; that is a result, too.
    run = measure([tester, "-u", url, "test"], env=environment, accept=range(256))
    results = {}
    for found in RESULT.finditer(run.output):
        results[found.groups()] = results.get(found.groups(), 0) + 1
    return results or {("ENDED", run.output[-200:]): 1}


def scimspec_results(scimspec, url, report):
    """What scimspec says of a server: the verdict of each case."""
    Path(report).unlink(missing_ok=True)
    command = [scimspec, "run", url, "--token-env", "MEASURED_TOKEN", "--seed", "7", "--json", report]
    run = measure(command, env={"MEASURED_TOKEN": TOKEN}, accept=(0, 1, 3, 4))
    if not Path(report).exists():
        return {"ended": run.output[-200:]}
    outcomes = json.loads(Path(report).read_text())["outcomes"]
    return {outcome["id"]: outcome["verdict"]["kind"] for outcome in outcomes}


def faults_caught(scimspec, work, size):
    """How many of a sample of planted faults change what each tester says of `scimspec serve`."""
    tester = install_tester()
    listed = subprocess.run([scimspec, "serve", "--list-faults"], check=True, capture_output=True, text=True).stdout
    names = sorted({line.split()[0] for line in listed.splitlines() if re.match(r"^\s*[a-z][a-z0-9:.-]+\s", line)})
    sample = random.Random(SAMPLE_SEED).sample(names, min(size, len(names)))
    report = work / "fault.json"

    def with_faults(faults):
        port = free_port()
        command = [scimspec, "serve", "--port", str(port), "--token", TOKEN]
        for fault in faults:
            command += ["--fault", fault]
        log = work / f"fault-{port}.log"
        with background(command, log) as process:
            url = base_url(process, log)
            # One server each: what a tester leaves behind is none of the other's business.
            theirs = tester_results(tester, url)
        with background(command, log) as process:
            url = base_url(process, log)
            ours = scimspec_results(scimspec, url, report)
        return theirs, ours

    sound, again = with_faults([]), with_faults([])
    if sound != again:
        sys.exit("two runs against the server without faults do not agree, so that no change means anything")
    caught = [0, 0]
    for number, fault in enumerate(sample, 1):
        found = with_faults([fault])
        changed = [found[which] != sound[which] for which in (0, 1)]
        caught = [count + change for count, change in zip(caught, changed)]
        words = ["caught" if change else "missed" for change in changed]
        print(f"{number}/{len(sample)} {fault}: scim2-tester {words[0]}, scimspec {words[1]}", file=sys.stderr)
    rows = [
        ["`scimspec run URL`", str(len(sample)), str(caught[1]), f"{100 * caught[1] / len(sample):.0f} %"],
        ["`scim -u URL test` (scim2-tester 0.5.2)", str(len(sample)), str(caught[0]), f"{100 * caught[0] / len(sample):.0f} %"],
    ]
    return len(names), table(["", "faults planted", "caught", ""], rows)


def requests_in(log):
    """How many requests scim2-server has logged."""
    return len(re.findall(r'"[A-Z]+ \S+ HTTP/1\.1" \d{3}', Path(log).read_text(errors="replace")))


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rust = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    return (f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
            f"Python {platform.python_version()}, Rust {rust}")


def publish(text, begin, end, write):
    """Prints what was measured, and puts it between its marks on the page if that is asked for."""
    if write:
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(head + text + rest.split(end)[1])
    print(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--faults", type=int, nargs="?", const=60, metavar="N",
                        help="plant a sample of N faults in the reference server instead (default 60)")
    parser.add_argument("--rounds", type=int, default=11, help="runs a figure, at least 1 (default 11)")
    options = parser.parse_args()
    (ROOT / ".interop").mkdir(exist_ok=True)
    scimspec = build()
    with tempfile.TemporaryDirectory(prefix="scimspec-times-") as directory:
        work = Path(directory)
        load = os.getloadavg()[0]
        if options.faults:
            all_of_them, caught = faults_caught(scimspec, work, options.faults)
            text = "\n".join([
                FAULTS_BEGIN, "",
                f"{time.strftime('%Y-%m-%d', time.gmtime())}, a sample of the {all_of_them} faults of `scimspec serve` "
                f"(seed {SAMPLE_SEED}), each planted alone.", "", caught, "", FAULTS_END,
            ])
            publish(text, FAULTS_BEGIN, FAULTS_END, options.write)
            return
        text = "\n".join([
            BEGIN, "",
            f"{time.strftime('%Y-%m-%d', time.gmtime())}, {options.rounds} runs a figure, load before the start {load:.1f}. "
            f"{machine()}.", "",
            "### scimspec alone", "", alone(scimspec, work, options.rounds), "",
            "### scimspec and scim2-tester on one scim2-server 0.8.3, in turn", "",
            beside_tester(scimspec, work, options.rounds), "", END,
        ])
    publish(text, BEGIN, END, options.write)


if __name__ == "__main__":
    main()
