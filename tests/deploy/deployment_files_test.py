# SPDX-License-Identifier: Apache-2.0
"""Every metric that deploy/ names exists in a scrape of the served zoo, and promtool accepts the rules.

Reads deploy/prometheus/octet.rules.yml and deploy/grafana/dashboards/*.json, starts the real server
on models/zoo/repository and asks it. What needs promtool is skipped, with a word, where it is not
installed (Debian: the package prometheus); with OCTET_REQUIRE_ALL=1 it fails.

The Dockerfile, the plain manifests and the chart name one version, and the flags that the image, the
compose file, the plain manifests and the systemd unit give are the server's.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import yaml

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ServerProcess

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/octet.rules.yml"
RULE_TESTS = ROOT / "deploy/prometheus/octet.rules.test.yml"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
METRIC = re.compile(r"\b(?:octet|process)_[a-z0-9_]+|\boctet:[a-z0-9_:]+")
PROMTOOL = shutil.which("promtool") or shutil.which(
    "promtool", path=str(ROOT / "build/tools/bin"))


def metrics_in(expression):
    """The metric names in a PromQL expression; a histogram's series count as the histogram."""
    without_strings = re.sub(r'"[^"]*"', '""', expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in METRIC.findall(without_strings)}


def rule_expressions():
    """Each `expr` of the rule file on one line, and the names that rules record."""
    text = RULES.read_text()
    # A folded value (">-") goes on for as long as lines are indented deeper than its key.
    folded = re.compile(r"^( *)expr: >-\n((?:\1 +.*\n)+)", re.MULTILINE)
    expressions = [" ".join(match.group(2).split()) for match in folded.finditer(text)]
    expressions += re.findall(r"^ *expr: (?!>-)(.*)$", text, re.MULTILINE)
    return expressions, set(re.findall(r"- record: (\S+)", text))


def dashboard_expressions():
    """Every query of every dashboard: panels' targets and variables' definitions."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("expr", "definition") and isinstance(value, str):
                    found.append(value)
                else:
                    walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    for path in DASHBOARDS:
        walk(json.loads(path.read_text()))
    return found


class Server:
    """octet-server on the zoo, on ports of the system's choice."""

    def __enter__(self):
        program = pathlib.Path(os.environ["OCTET_BIN_DIR"]) / "octet-server"
        self.process = subprocess.Popen(
            [program, "--model-repository", ROOT / "models/zoo/repository",
             "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0",
             "--metrics-address", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True)
        self.addresses = {}
        for line in self.process.stdout:
            if line.startswith("octet-server ready"):
                self.addresses = dict(field.split("=", 1) for field in line.split()[2:])
                break
        if not self.addresses:
            raise RuntimeError(f"octet-server ended with status {self.process.wait()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def get(self, surface, path):
        with urllib.request.urlopen(f"http://{self.addresses[surface]}{path}", timeout=10) as reply:
            return reply.read().decode()


class DeploymentFilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Server() as server:
            cls.scrape = server.get("metrics", "/metrics")
        cls.exposed = set(re.findall(r"^# TYPE (\S+)", cls.scrape, re.MULTILINE))

    def assert_exposed(self, expressions, recorded):
        self.assertGreater(len(expressions), 5)
        for expression in expressions:
            names = metrics_in(expression)
            self.assertTrue(names, f"names no metric: {expression}")
            for name in names - recorded:
                self.assertIn(name, self.exposed, f"in {expression}")

    def test_rules_name_exposed_metrics(self):
        expressions, recorded = rule_expressions()
        self.assert_exposed(expressions, recorded)

    def test_dashboards_name_exposed_metrics(self):
        _, recorded = rule_expressions()
        self.assertTrue(DASHBOARDS)
        self.assert_exposed(dashboard_expressions(), recorded)

    def test_every_documented_metric_is_exposed(self):
        rows = re.findall(r"^\| `(\S+)` \|.*\| (.*) \|$", (ROOT / "docs/metrics.md").read_text(),
                          re.MULTILINE)
        # Some are there only with what this server is started without, or this machine has not.
        absent = {name for name, meaning in rows if "; absent without " in meaning}
        self.assertEqual({name for name, _ in rows} - absent, self.exposed - absent)

    def test_every_way_to_run_it_names_one_version(self):
        version = re.search(r"project\(octet VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text()).group(1)
        for name, pattern in (("Dockerfile", r"^ARG VERSION=(\S+)$"),
                              ("helm/octet/Chart.yaml", r'^appVersion: "(\S+)"$'),
                              ("deploy/kubernetes/octet.yaml", r"image: octet-server:(\S+)$")):
            found = re.findall(pattern, (ROOT / name).read_text(), re.MULTILINE)
            self.assertEqual(found, [version], name)

    def test_the_server_takes_the_images_flags(self):
        dockerfile = (ROOT / "Dockerfile").read_text()
        self.assertRegex(dockerfile, r'(?m)^ENTRYPOINT \["octet-server"\]$')
        compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["octet"]
        self.assertNotIn("entrypoint", compose)
        self.assert_taken(json.loads(re.search(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[1]))
        self.assert_taken(compose["command"])

    def test_the_server_takes_the_manifests_flags(self):
        manifests = yaml.safe_load_all((ROOT / "deploy/kubernetes/octet.yaml").read_text())
        containers = [container for manifest in manifests if manifest["kind"] == "Deployment"
                      for container in manifest["spec"]["template"]["spec"]["containers"]]
        self.assertTrue(containers)
        for container in containers:
            self.assertNotIn("command", container)
            self.assert_taken(container["args"])

    def test_the_server_takes_the_systemd_units_flags(self):
        unit = (ROOT / "deploy/systemd/octet-server.service").read_text()
        started = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        self.assertEqual(len(started), 1)
        program, *arguments = shlex.split(started[0])
        self.assertEqual(program, "/usr/local/bin/octet-server")
        self.assert_taken(arguments)

    def secrets(self):
        """A folder with tls.crt, tls.key and access, gone with the test."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        certificate, key = Authority(folder).issue("server", SERVER_NAMES)
        shutil.copy(certificate, folder / "tls.crt")
        shutil.copy(key, folder / "tls.key")
        (folder / "access").write_text("i infer token:0b8f29c5a1cf40e59df5b5c3e0a3d2b1\n")
        (folder / "access").chmod(0o640)
        return str(folder)

    def test_the_server_takes_the_flags_of_tls(self):
        compose = yaml.safe_load((ROOT / "deploy/compose.tls.yaml").read_text())["services"]["octet"]
        secrets = self.secrets()
        flags = [word.replace("/etc/octet/secrets", secrets)
                 .replace("/etc/octet/octet.yaml", str(ROOT / "deploy/octet.tls.yaml"))
                 for word in compose["command"]]
        self.assert_taken(flags)
        self.assertIn("./octet.tls.yaml:/etc/octet/octet.yaml:ro", compose["volumes"])
        # The health check, at the port that this server got.
        flags = flags[flags.index("/models") + 1:]
        with ServerProcess(ROOT / "models/zoo/repository", *flags) as server:
            kind, *check = compose["healthcheck"]["test"]
            self.assertEqual(kind, "CMD")
            check = [word.replace("127.0.0.1/8002", server.metrics.replace(":", "/"))
                     for word in check]
            done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_the_server_takes_the_systemd_units_flags_of_tls(self):
        unit = (ROOT / "deploy/systemd/octet-server.service.d/tls.conf").read_text()
        emptied, started = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        self.assertEqual(emptied, "")
        secrets = self.secrets()
        _, *arguments = shlex.split(started)
        self.assert_taken([word.replace("/etc/octet", secrets) for word in arguments])

    def assert_taken(self, arguments):
        """What is said of the flags by the server itself, with the zoo where the models are to be."""
        program = pathlib.Path(os.environ["OCTET_BIN_DIR"]) / "octet-server"
        zoo = str(ROOT / "models/zoo/repository")
        here = [zoo if word in ("/models", "/srv/octet") else word for word in arguments]
        self.assertIn(zoo, here)
        result = subprocess.run([program, *here, "--check-config"], text=True,
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def run_promtool(self, *arguments, text=None):
        if PROMTOOL is None:
            self.assertNotEqual(os.environ.get("OCTET_REQUIRE_ALL"), "1", "promtool is missing")
            self.skipTest("promtool is not installed (Debian: apt-get install prometheus)")
        result = subprocess.run([PROMTOOL, *map(str, arguments)], input=text, text=True,
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_promtool_accepts_the_rules(self):
        self.run_promtool("check", "rules", RULES)
        self.run_promtool("test", "rules", RULE_TESTS)

    def test_promtool_accepts_the_scrape(self):
        self.run_promtool("check", "metrics", text=self.scrape)

    def test_promtool_accepts_the_dashboards_queries(self):
        # Grafana's own variables are no PromQL: each stands for a plain value here.
        groups = {"groups": [{"name": "dashboards", "rules": []}]}
        for index, expression in enumerate(dashboard_expressions()):
            if expression.startswith("label_values("):
                continue
            plain = expression.replace("$__rate_interval", "1m")
            plain = re.sub(r"\$[a-z]+", ".*", plain)
            groups["groups"][0]["rules"].append({"record": f"panel:{index}", "expr": plain})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "dashboards.rules.yml"
            path.write_text(json.dumps(groups))
            self.run_promtool("check", "rules", path)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
