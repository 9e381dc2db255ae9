#!/usr/bin/env python3
"""Brings ONNX Runtime, which runs networks: the library of the wheel that packaging/onnxruntime.txt pins.

    scripts/onnxruntime.py [FOLDER...]

The library is kept in target/onnxruntime, and linked into every FOLDER (beside libmi.so, which looks for it there). pip compares the
wheel with its pin, this script compares the library; what is there already is not fetched again. Only Python and pip are needed.
"""
import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "packaging" / "onnxruntime.txt"
STORE = ROOT / "target" / "onnxruntime"
# SHA-256 of the library, by processor: the same in the wheels of all versions of Python.
LIBRARIES = {
    "x86_64": "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
    "aarch64": "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
}
NOTICES = ("LICENSE", "ThirdPartyNotices.txt")


def version():
    return re.search(r"^onnxruntime==([0-9.]+)", REQUIREMENTS.read_text(), re.M).group(1)


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def pip():
    """The command of a pip: this Python's own, or that of a virtual environment."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode == 0:
        return [sys.executable, "-m", "pip"]
    environment = STORE / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    return [str(environment / "bin" / "python"), "-m", "pip"]


def fetch(machine, library):
    """Writes the library and its notices into the store."""
    STORE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(STORE)) as folder:
        subprocess.run(pip() + ["download", "--quiet", "--disable-pip-version-check", "--retries", "2",
                                "--timeout", "20", "--no-deps", "--require-hashes",
                                "--only-binary", ":all:", "--platform", "manylinux_2_28_" + machine,
                                "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
                                "--dest", folder, "--requirement", str(REQUIREMENTS)], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(str(wheel)) as archive:
            bytes_ = archive.read("onnxruntime/capi/" + library.name)
            found = hashlib.sha256(bytes_).hexdigest()
            if found != LIBRARIES[machine]:
                sys.exit("%s: its SHA-256 is %s, %s was expected" % (library.name, found, LIBRARIES[machine]))
            for notice in NOTICES:
                (STORE / notice).write_bytes(archive.read("onnxruntime/" + notice))
        # Written beside and renamed: whoever looks meanwhile sees all of it or nothing.
        part = Path(folder) / library.name
        part.write_bytes(bytes_)
        part.chmod(0o755)
        os.replace(str(part), str(library))


def link(target, name):
    """A symbolic link at `name`, relative, put there at once."""
    name.parent.mkdir(parents=True, exist_ok=True)
    temporary = name.with_name(name.name + ".%d" % os.getpid())
    temporary.symlink_to(os.path.relpath(str(target), str(name.parent)))
    os.replace(str(temporary), str(name))


def main():
    machine = platform.machine()
    if sys.platform != "linux" or machine not in LIBRARIES:
        sys.exit("no runtime of networks is pinned for %s on %s; set MI_ONNXRUNTIME to a libonnxruntime of your own"
                 % (sys.platform, machine))
    library = STORE / ("libonnxruntime.so." + version())
    if not library.exists() or checksum(str(library)) != LIBRARIES[machine]:
        try:
            fetch(machine, library)
        except subprocess.CalledProcessError as cause:
            sys.exit("ONNX Runtime could not be fetched (pip or venv ended with %s); networks answer MI_BACKEND_MISSING until it is, all other "
                     "models work" % cause.returncode)
    link(library, STORE / "libonnxruntime.so.1")
    for folder in sys.argv[1:]:
        link(library, ROOT / folder / "libonnxruntime.so.1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
