"""Makes the wheel: PROGRAM VERSION OUT. The program is a script of the wheel, which pip copies as it is: no Python runs
when it starts. `python -m malloscope` finds it, too. Source: PEP 427, PEP 600."""

import base64
import hashlib
import os
import stat
import sys
import zipfile

program, version, out = sys.argv[1:]
TAG = "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"
info = f"malloscope-{version}.dist-info"
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

MAIN = '''"""Starts the program that was installed with this package."""
import os
import sys
import sysconfig


def main():
    schemes = [sysconfig.get_path("scripts"), os.path.join(sys.base_prefix, "bin"), os.path.expanduser("~/.local/bin")]
    for directory in schemes:
        program = os.path.join(directory, "malloscope")
        if os.path.exists(program):
            os.execv(program, [program, *sys.argv[1:]])
    sys.exit("malloscope: the program is not beside this package: " + ", ".join(schemes))


main()
'''

with open(os.path.join(root, "README.md")) as readme:
    METADATA = f"""Metadata-Version: 2.1
Name: malloscope
Version: {version}
Summary: Finds what a running program allocates and does not give back
License: MIT OR Apache-2.0
Requires-Python: >=3.7
Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: Software Development :: Debuggers
Description-Content-Type: text/markdown

{readme.read()}"""

WHEEL = f"Wheel-Version: 1.0\nGenerator: malloscope\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_17_x86_64\nTag: py3-none-manylinux2014_x86_64\n"

with open(program, "rb") as file:
    binary = file.read()
# jeprof-compat by a shell, because a wheel has no links.
JEPROF = b'#!/bin/sh\nexec "$(dirname "$0")/malloscope" jeprof "$@"\n'
files = [
    ("malloscope/__init__.py", f'__version__ = "{version}"\n'.encode(), 0o644),
    ("malloscope/__main__.py", MAIN.encode(), 0o644),
    (f"malloscope-{version}.data/scripts/malloscope", binary, 0o755),
    (f"malloscope-{version}.data/scripts/jeprof-compat", JEPROF, 0o755),
    (f"{info}/METADATA", METADATA.encode(), 0o644),
    (f"{info}/WHEEL", WHEEL.encode(), 0o644),
]
record = ""
path = os.path.join(out, f"malloscope-{version}-{TAG}.whl")
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
    def add(name, data, mode):
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.external_attr = (stat.S_IFREG | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        wheel.writestr(entry, data)

    for name, data, mode in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
        add(name, data, mode)
    add(f"{info}/RECORD", (record + f"{info}/RECORD,,\n").encode(), 0o644)
