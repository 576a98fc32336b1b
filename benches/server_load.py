#!/usr/bin/env python3
"""Measures the reference server under load, beside scim2-server and scimmy, and how its cost grows with the directory.

    benches/server_load.py            prints the tables
    benches/server_load.py --write    puts them into docs/performance.md

Needs Python 3, cargo, npm and wrk (Debian's package wrk); the other servers are installed into .interop at pinned
versions. Everything runs on the loopback address, one server at a time, each request class for the same time over the
same number of connections. An answer that is no success ends the measurement: a figure of failed requests is not printed.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from run_times import ROOT, TOKEN, background, base_url, build, free_port, machine, publish, ready, table

BEGIN, END = "<!-- measured: benches/server_load.py --write -->", "<!-- end of measured load -->"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
CONNECTIONS = 4
BESIDE = 1_000
SIZES = (1_000, 10_000, 100_000)

# What wrk sends where a plain GET will not do. `%s` is unique to the measurement, the counter to the request.
WRITE = """
local count, thread = 0, 0
function setup(t) thread = thread + 1; t:set("number", thread) end
function init() wrk.method = "%(method)s"; wrk.headers["Content-Type"] = "application/scim+json" end
function request()
  count = count + 1
  local mark = string.format("%(mark)s-%%d-%%d", number, count)
  return wrk.format(nil, nil, nil, string.gsub([[%(body)s]], "MARK", mark))
end
"""


@dataclass
class Sample:
    """A user in the middle of the directory, and how the server is asked for it."""

    url: str
    id: str
    user_name: str
    external_id: str

    def classes(self):
        """What is measured: a name, a path, and for a write its method and body."""
        patch = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": "MARK"}]}
        create = {"schemas": [USER], "userName": "MARK@load.example.com", "displayName": "MARK",
                  "emails": [{"value": "MARK@load.example.com", "type": "work"}]}
        return {
            "GET by id": (f"/Users/{quote(self.id)}", None, None),
            "filter: userName eq, one match": (self.find(f'userName eq "{self.user_name}"'), None, None),
            "filter: externalId eq, one match": (self.find(f'externalId eq "{self.external_id}"'), None, None),
            "filter: no index, ten rows of many": (self.find('emails.value co "@" and active eq true'), None, None),
            "filter: no index, no match": (self.find('displayName sw "nobody is called so"'), None, None),
            "create": ("/Users", "POST", create),
            "PATCH one attribute": (f"/Users/{quote(self.id)}", "PATCH", patch),
        }

    @staticmethod
    def find(text):
        return f"/Users?filter={quote(text, safe='')}&count=10"


class Client:
    """A connection for what is not measured: filling a directory and looking at it."""

    def __init__(self, url):
        self.base = urlsplit(url)
        self.connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=60)

    def send(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
        self.connection.request(method, self.base.path + path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            sys.exit(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def fill(self, count):
        """The directory that the reference server seeds itself with, for a server that cannot."""
        for at in range(count):
            name = f"user{at:06}"
            self.send("POST", "/Users", {
                "schemas": [USER], "userName": f"{name}@load.example.com", "externalId": f"external-{name}",
                "displayName": f"User {at}", "active": True, "name": {"givenName": "User", "familyName": str(at)},
                "emails": [{"value": f"{name}@load.example.com", "type": "work", "primary": True}],
            })

    def sample(self, url, size):
        # Not every server pages as it is asked to; any row will do.
        rows = self.send("GET", f"/Users?startIndex={size // 2}&count=1")["Resources"]
        row = rows[-1]
        return Sample(url, row["id"], row["userName"], row.get("externalId", "none"))


def load(sample, path, method, body, seconds, work):
    """Requests a second, and the median time of one, as wrk sees them."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--latency",
               "--timeout", "30s", "--header", f"Authorization: Bearer {TOKEN}"]
    if method:
        script = work / "load.lua"
        mark = f"load{time.monotonic_ns():x}"
        script.write_text(WRITE % {"method": method, "mark": mark, "body": json.dumps(body)})
        command += ["--script", str(script)]
    ran = subprocess.run([*command, sample.url + path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)
    middle = re.search(r"50%\s+([\d.]+)(us|ms|s)", ran.stdout)
    if ran.returncode or not rate or "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"{method or 'GET'} {path}\n{ran.stdout}{ran.stderr}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
    # A server that answers nothing in time has no median.
    return float(rate[1]), float(middle[1]) * unit[middle[2]] if middle else float("nan")


def measure(sample, seconds, work, leave=()):
    return {name: load(sample, *request, seconds, work)
            for name, request in sample.classes().items() if name not in leave}


def scimspec_with(binary, size, seconds, work):
    log = work / "serve.log"
    command = [binary, "serve", "--token", TOKEN, "--log", "off", "--seed-users", str(size)]
    with background(command, log) as process:
        url = base_url(process, log)
        ready(process, url)
        return measure(Client(url).sample(url, size), seconds, work)


def other(script, path, seconds, work):
    """A server of somebody else's, filled over HTTP."""
    script = ROOT / "tests" / "interop" / script
    subprocess.run([script, "install"], check=True, stdin=subprocess.DEVNULL)
    port = free_port()
    url = f"http://127.0.0.1:{port}{path}"
    with background([script, "serve", str(port), TOKEN], work / "other.log") as process:
        ready(process, url)
        client = Client(url)
        client.fill(BESIDE)
        return measure(client.sample(url, BESIDE), seconds, work)


def rate(figure):
    return f"{figure[0]:,.0f}/s" if figure[0] >= 10 else f"{figure[0]:.1f}/s"


def times(figure, base):
    return f"{figure[0] / base[0]:,.0f}×" if base[0] else "—"


def micros(figure):
    return f"{figure[1] * 1e6:,.0f} µs"


def beside(ours, python, javascript):
    rows = [[name, rate(ours[name]), rate(python[name]), times(ours[name], python[name]), rate(javascript[name]),
             times(ours[name], javascript[name])] for name in ours]
    head = ["", "scimspec serve", "scim2-server 0.8.3", "ratio", "scimmy 1.3.5", "ratio"]
    return table(head, rows)


def growth(by_size):
    first = by_size[SIZES[0]]
    rows = []
    for name in first:
        row = [name]
        for size in SIZES:
            row += [rate(by_size[size][name]), micros(by_size[size][name])]
        rows.append([*row, f"{first[name][0] / by_size[SIZES[-1]][name][0]:.1f}×"])
    head = [""]
    for size in SIZES:
        head += [f"{size:,} users", "median"]
    return table([*head, "cost, 100 times the users"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--seconds", type=int, default=3, help="how long each figure is measured (default 3)")
    options = parser.parse_args()
    (ROOT / ".interop").mkdir(exist_ok=True)
    binary = build()
    with tempfile.TemporaryDirectory(prefix="scimspec-load-") as directory:
        work = Path(directory)
        before = os.getloadavg()[0]
        by_size = {size: scimspec_with(binary, size, options.seconds, work) for size in SIZES}
        python = other("scim2-server.sh", "/v2", options.seconds, work)
        javascript = other("scimmy.sh", "/scim", options.seconds, work)
        text = "\n".join([
            BEGIN, "",
            f"{time.strftime('%Y-%m-%d', time.gmtime())}, {options.seconds} s a figure, {CONNECTIONS} connections of one wrk "
            f"on the same two cores, load before the start {before:.1f}. {machine()}.", "",
            f"### Beside two servers of others, {BESIDE:,} users each", "",
            beside(by_size[BESIDE], python, javascript), "",
            "### How the cost grows with the directory", "", growth(by_size), "", END,
        ])
    publish(text, BEGIN, END, options.write)


if __name__ == "__main__":
    main()
