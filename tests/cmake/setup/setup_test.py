# SPDX-License-Identifier: Apache-2.0
"""cmake/setup/setup.sh on machines that cannot do what it needs: one line says what, and what to do;
what is there is not fetched again, and `make clean` leaves it. The machine's programs are stubs."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
NOTHING_INSTALLED = "exit 1"
# Everything but a new oneDNN.
ALL_INSTALLED = '[ "$3" = libdnnl-dev ] && { echo 2.7.3; exit; }; echo installed'
OLD_ONEDNN = "echo '  Candidate: 2.7.3-1'"
DEBIAN = "ID=debian\nVERSION_ID=\"12\"\n"
WHEELS = {
    "onednn_cpu": ["lib/libdnnl.so", "lib/libdnnl.so.3", "lib/libdnnl.so.3.2", "share/LICENSE"],
    "onednn_devel": ["include/dnnl.h", "lib/cmake/dnnl/dnnl-config.cmake"],
}


class SetupTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "octet"
        self.stubs = pathlib.Path(folder.name) / "stubs"
        self.stubs.mkdir()
        shutil.copytree(ROOT / "cmake/setup", self.root / "cmake/setup")
        shutil.copy(ROOT / "Makefile", self.root)
        self.requirements = (self.root / "cmake/setup/onednn-requirements.txt").read_text()
        self.is_on(DEBIAN)
        self.stub("id", "echo 0")
        self.stub("sudo", "exit 1")
        self.stub("apt-get", "exit 100")
        self.stub("apt-cache", OLD_ONEDNN)
        self.stub("dpkg-query", NOTHING_INSTALLED)

    def stub(self, name: str, script: str, folder: pathlib.Path | None = None) -> None:
        path = (folder or self.stubs) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def stub_venv(self, pip: str) -> None:
        """A virtual environment whose pip does that, and notes that it was called."""
        folder = self.root / "build/venv/bin"
        self.stub("pip", f'echo "$@" >>"{self.root}/pip-calls"\n{pip}', folder)
        self.stub("python", f'exec "{sys.executable}" "$@"', folder)

    def is_on(self, os_release: str) -> None:
        """What the machine says that it is; the script reads a fixed path."""
        self.root.mkdir(exist_ok=True)
        (self.root / "os-release").write_text(os_release)
        script = self.root / "cmake/setup/setup.sh"
        text = (ROOT / "cmake/setup/setup.sh").read_text()
        self.assertEqual(text.count("/etc/os-release"), 1)
        script.write_text(text.replace("/etc/os-release", str(self.root / "os-release")))

    def run_setup(self, **environment: str) -> subprocess.CompletedProcess:
        here = {"PATH": f"{self.stubs}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.root),
                **environment}
        return subprocess.run(["cmake/setup/setup.sh", "build"], cwd=self.root, env=here,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)

    def fails(self, *parts: str, **environment: str) -> None:
        done = self.run_setup(**environment)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("octet set-up: "), done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_neither_root_nor_sudo(self):
        self.stub("id", "echo 1000")
        self.fails("cannot install without root or sudo; as root, run: apt-get install ", " cmake ")

    def test_sudo_is_used_where_it_asks_nothing(self):
        self.stub("id", "echo 1000")
        self.stub("sudo", '[ "$1" = -n ] && exit 0; [ "$1" = true ] && exit 0\n'
                          f'echo "$@" >>"{self.root}/sudo-calls"; exit 100')
        self.fails("apt-get update failed")
        self.assertEqual((self.root / "sudo-calls").read_text(), "apt-get update -q\n")

    def test_another_distribution(self):
        self.is_on("ID=fedora\nVERSION_ID=42\n")
        self.fails("this system is 'fedora 42', not one of Debian 12, Debian 13 and Ubuntu 24.04",
                   "OCTET_SKIP_PACKAGES=1")
        self.is_on("ID=debian\nVERSION_ID=\"11\"\n")
        self.fails("this system is 'debian 11', not one of ")

    def test_no_network_for_the_package_lists(self):
        self.fails("apt-get update failed: check the network and the package sources",
                   "build/setup/apt-get-update.log")

    def test_no_network_for_the_packages(self):
        self.stub("apt-get", '[ "$1" = update ]')
        self.fails("apt-get could not install ", "check the network", "build/setup/apt-get.log")

    def test_packages_that_were_to_be_left_alone(self):
        self.fails("missing packages: ca-certificates cmake ", OCTET_SKIP_PACKAGES="1")

    def test_no_network_for_onednn(self):
        self.stub("dpkg-query", ALL_INSTALLED)
        self.stub_venv("exit 1")
        self.fails("could not fetch oneDNN from PyPI: check the network", "build/setup/onednn.log")

    def test_wheels_that_hold_no_onednn(self):
        self.stub("dpkg-query", ALL_INSTALLED)
        self.stub_venv("mkdir -p build/onednn/wheels; echo damaged >build/onednn/wheels/a.whl")
        self.fails("could not unpack oneDNN", "build/setup/onednn.log")
        self.assertFalse((self.root / "build/onednn/.complete").exists())

    def test_onednn_is_fetched_once(self):
        self.stub("dpkg-query", ALL_INSTALLED)
        wheels = self.root / "wheels"
        wheels.mkdir()
        for name, files in WHEELS.items():
            with zipfile.ZipFile(wheels / f"{name}.whl", "w") as wheel:
                for file in files:
                    wheel.writestr(f"{name}-2023.2.0.data/data/{file}", file)
                wheel.writestr(f"{name}-2023.2.0.dist-info/METADATA", "not wanted")
        self.stub_venv("mkdir -p build/onednn; cp -r wheels build/onednn/wheels")
        self.assertEqual(self.run_setup().returncode, 0)
        onednn = self.root / "build/onednn"
        self.assertEqual({entry.name for entry in onednn.iterdir()},
                         {".complete", "include", "lib", "share"})
        for link, target in (("libdnnl.so", "libdnnl.so.3"), ("libdnnl.so.3", "libdnnl.so.3.2")):
            self.assertEqual(os.readlink(onednn / "lib" / link), target)
        self.assertEqual((onednn / "lib/libdnnl.so").read_text(), "lib/libdnnl.so.3.2")
        self.assertTrue((onednn / "include/dnnl.h").exists())
        self.assertTrue((onednn / "lib/cmake/dnnl/dnnl-config.cmake").exists())
        self.assertEqual((onednn / ".complete").read_text(), self.requirements)
        # A folder that came back from somewhere is older than the checkout beside it.
        os.utime(onednn / ".complete", (0, 0))
        (self.root / "pip-calls").unlink()
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertFalse((self.root / "pip-calls").exists())
        # Another version is another content, and newer files are not taken for it.
        (onednn / ".complete").write_text("onednn-cpu-gomp==1.0\n")
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertTrue((self.root / "pip-calls").exists())

    def test_make_clean_keeps_what_was_fetched(self):
        fetched = {"keras", "onednn", "peers", "tools", "venv"}
        clean = ["make", "--silent", "clean"]
        subprocess.run(clean, cwd=self.root, check=True)  # nothing is there
        for name in fetched | {"check", "release", "setup"}:
            (self.root / "build" / name / "bin").mkdir(parents=True)
        subprocess.run(clean, cwd=self.root, check=True)
        self.assertEqual({entry.name for entry in (self.root / "build").iterdir()}, fetched)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
