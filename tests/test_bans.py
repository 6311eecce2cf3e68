"""What no line of this code may do: unpickle, unpack whole archives, start a shell, evaluate text, trust remote code.

Two nets: ruff, with the configuration that `make check` uses, and the syntax trees of all five houses, because rules of
ruff are off in some files and do not know all of it. Both are shown a planted violation of every ban.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("curate", "sources", "synth", "manifests", "benchmarks")
_MODULES = """
    pickle cPickle _pickle marshal shelve dill cloudpickle joblib jsonpickle webbrowser requests httpx aiohttp ftplib
    telnetlib smtplib pty code codeop commands xml.sax xml.dom lxml xmlrpc
"""
_CALLS = """
    eval exec __import__ os.system os.popen os.execv os.execve os.execvp os.spawnl os.spawnv os.posix_spawn
    subprocess.getoutput subprocess.getstatusoutput asyncio.create_subprocess_shell tempfile.mktemp
    shutil.unpack_archive yaml.load yaml.load_all yaml.full_load yaml.full_load_all yaml.unsafe_load torch.load
    pandas.read_pickle pd.read_pickle urllib.request.urlretrieve urllib.request.urlopen ssl._create_unverified_context
    ET.parse ET.fromstring ET.iterparse
"""
MODULES, CALLS = frozenset(_MODULES.split()), frozenset(_CALLS.split())
METHODS = frozenset(("extractall", "extract"))  # of an archive, or of anything that looks like one
NAMES = frozenset(("Loader", "FullLoader", "UnsafeLoader", "CLoader"))  # of yaml
MUST_BE_FALSE = frozenset(("shell", "allow_pickle", "trust_remote_code"))
MUST_NOT_BE_FALSE = frozenset(("verify", "check_hostname", "weights_only"))
ROOMS = {  # the one place of something, with its guard in it
    "ET.fromstring": "sources/xml_files.py",  # after `_check_declarations`
}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of names; "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def found_in(tree: ast.AST, file: str) -> Iterator[str]:
    """Each banned thing in a file's tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if _banned_module(a.name))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            whole = [f"{module}.{a.name}" for a in node.names]
            yield from (f"import {n}" for n in whole if _banned_module(module) or _banned_module(n) or n in CALLS)
        elif isinstance(node, ast.Attribute) and node.attr in NAMES and dotted(node.value) == "yaml":
            yield f"yaml.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from _of_call(node, file)


def _banned_module(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[: n + 1]) in MODULES for n in range(len(parts)))


def _of_call(node: ast.Call, file: str) -> Iterator[str]:
    name = dotted(node.func)
    shipped_xml = name.startswith("ET.") and file.startswith("benchmarks/")  # of packages, by name
    if name in CALLS and ROOMS.get(name) != file and not shipped_xml:
        yield name
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        yield f".{node.func.attr}"
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "unknown"
        if keyword.arg in MUST_BE_FALSE and value is not False:
            yield "=".join((keyword.arg or "", str(value)))
        if keyword.arg in MUST_NOT_BE_FALSE and value is False:
            yield f"{keyword.arg}=False"
    if name == "av.open" and not file.startswith("benchmarks/") and not _names_nothing(node):
        missing = {"format", "options"} - {k.arg for k in node.keywords}
        yield from [f"av.open without {', '.join(sorted(missing))}"] if missing else []


def _names_nothing(node: ast.Call) -> bool:
    """Bytes in memory, which no protocol can reach beyond, or a file that is written."""
    in_memory = isinstance(node.args[0], ast.Call) and dotted(node.args[0].func) == "io.BytesIO"
    return in_memory or any(isinstance(a, ast.Constant) and a.value == "w" for a in node.args)


def files() -> Iterator[Path]:
    for house in HOUSES:
        yield from sorted((ROOT / house).rglob("*.py"))


LAST_WORDS = {name.rpartition(".")[2] for name in MODULES | CALLS | METHODS | MUST_BE_FALSE | MUST_NOT_BE_FALSE | NAMES}
TELLING = re.compile(rf"\b(?:{'|'.join(sorted(LAST_WORDS))})\b|\bav\.open\b")  # a file without any of them is clean


@pytest.mark.slow
def test_no_file_does_what_is_banned() -> None:
    assert len(list(files())) > 100
    for path in files():
        text, file = path.read_text(), str(path.relative_to(ROOT))
        if TELLING.search(text):
            assert list(found_in(ast.parse(text), file)) == [], file


PLANTED = {  # each by itself is found by the trees
    "import pickle": "import pickle",
    "from pickle import loads": "import pickle.loads",
    "import marshal, shelve": "import shelve",
    "import joblib": "import joblib",
    "import torch\ntorch.load('x')": "torch.load",
    "import numpy as np\nnp.load('x', allow_pickle=True)": "allow_pickle=True",
    "import numpy as np\nwanted = True\nnp.load('x', allow_pickle=wanted)": "allow_pickle=unknown",
    "import tarfile\ntarfile.open('x').extractall('y')": ".extractall",
    "import tarfile\ntarfile.open('x').extract('a')": ".extract",
    "import zipfile\nzipfile.ZipFile('x').extractall()": ".extractall",
    "import shutil\nshutil.unpack_archive('x')": "shutil.unpack_archive",
    "import subprocess\nsubprocess.run('ls', shell=True)": "shell=True",
    "import subprocess\nsubprocess.getoutput('ls')": "subprocess.getoutput",
    "import os\nos.system('ls')": "os.system",
    "import os\nos.popen('ls')": "os.popen",
    "eval('1')": "eval",
    "exec('1')": "exec",
    "import yaml\nyaml.load('x', Loader=yaml.Loader)": "yaml.load",
    "import yaml\nyaml.load('x', Loader=yaml.Loader) ": "yaml.Loader",
    "from yaml import unsafe_load": "import yaml.unsafe_load",
    "load('x', trust_remote_code=True)": "trust_remote_code=True",
    "import xml.etree.ElementTree as ET\nET.parse('x')": "ET.parse",
    "import xml.etree.ElementTree as ET\nET.fromstring('x')": "ET.fromstring",
    "import xml.dom.minidom": "import xml.dom.minidom",
    "import tempfile\ntempfile.mktemp()": "tempfile.mktemp",
    "import requests": "import requests",
    "import urllib.request\nurllib.request.urlopen('file:///etc/passwd')": "urllib.request.urlopen",
    "import webbrowser": "import webbrowser",
    "import av\nav.open('x.m3u8')": "av.open without format, options",
    "import av\nav.open(str(path), format='mov')": "av.open without options",
    "get('x', verify=False)": "verify=False",
}


@pytest.mark.parametrize("code", PLANTED)
def test_the_trees_show_what_is_planted(code: str) -> None:
    assert TELLING.search(code)
    assert PLANTED[code] in list(found_in(ast.parse(code), "curate/planted.py"))


def test_ordinary_code_is_not_banned() -> None:
    code = "import yaml, subprocess\nyaml.safe_load('x')\nsubprocess.run(['ls'], check=True)\nload('x', verify=True)"
    assert list(found_in(ast.parse(code), "curate/planted.py")) == []


RUFF = {  # code -> a line that `ruff check` must refuse
    "S301": "import pickle\npickle.loads(b'')",
    "S302": "import marshal\nmarshal.loads(b'')",
    "S102": "exec('1')",
    "S307": "eval('1')",
    "S306": "import tempfile\ntempfile.mktemp()",
    "S202": "import tarfile\ntarfile.open('x').extractall('y')",
    "S310": "import urllib.request\nurllib.request.urlopen('file:///x')",
    "S314": "import xml.etree.ElementTree as ET\nET.fromstring('x')",
    "S318": "import xml.dom.minidom\nxml.dom.minidom.parseString('x')",
    "S501": "import requests\nrequests.get('https://a', verify=False, timeout=1)",
    "S506": "import yaml\nyaml.load('x', Loader=yaml.Loader)",
    "S602": "import subprocess\nsubprocess.run(f'ls {1}', shell=True)",
    "S604": "from subprocess import check_output as run\nrun2 = run\nfoo(shell=True)",
    "S605": "import os\nos.system('ls' + x)",
    "TID251": "import joblib\nimport webbrowser\nimport shelve",
}


def test_ruff_refuses_what_is_planted_with_the_configuration_of_this_project(tmp_path: Path) -> None:
    planted = tmp_path / "curate"
    planted.mkdir()
    for code, text in RUFF.items():
        (planted / f"{code.lower()}.py").write_text(text + "\n")
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    done = subprocess.run(
        [*command, "--output-format", "json", str(tmp_path)], capture_output=True, text=True, check=False
    )
    found = {(Path(hit["filename"]).stem.upper(), hit["code"]) for hit in json.loads(done.stdout)}
    assert {(code, code) for code in RUFF} <= found
