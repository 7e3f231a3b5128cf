"""The wheel holds the package and nothing else, and installs what its code imports."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest

import recurra
from recurra.cli.info import EXTRAS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "recurra"
PEERS = ("keras", "tf_keras", "tensorflow", "torch")


def requirements(extra: str | None) -> set[str]:
    """Returns the distributions that pyproject.toml names in an extra, or as dependencies of the base."""
    key = "dependencies" if extra is None else extra
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(rf"^{key} = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)[1]
    return {re.match(r"[\w-]+", name)[0] for name in re.findall(r'"([^"]+)"', listed)}


def imports(files: Iterable[Path]) -> set[str]:
    """Returns the top-level names of other people's modules that files import, wherever they do."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"recurra"}


def test_the_forecast_extra_installs_what_forecasts_import():
    imported = imports([*PACKAGE.glob("forecasting/**/*.py"), *PACKAGE.glob("cli/**/*.py")])
    assert imported <= requirements(None) | requirements("forecast") | requirements("interop")
    assert requirements("forecast") <= imported | {"tzdata"}  # which zoneinfo reads where the system has no zones


def test_the_command_knows_what_the_extras_install():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    assert set(EXTRAS) == set(re.findall(r"^(\w+) = ", section, re.MULTILINE)) - {"test", "lint"}
    for extra, modules in EXTRAS.items():
        assert set(modules) == requirements(extra) - {"tzdata"}


def test_the_base_and_tensorboard_install_what_the_rest_imports():
    extras = ("forecasting", "cli", "interop")
    imported = imports(file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] not in extras)
    imported -= {"typing_extensions"}  # under TYPE_CHECKING: type checkers bring it
    assert imported - requirements(None) == requirements("tensorboard")


def test_the_interop_extra_installs_what_files_need():
    imported = imports(PACKAGE.glob("interop/**/*.py"))
    assert imported - requirements(None) == requirements("interop")


def peers_of(file: Path) -> set[str]:
    """Returns the peers without which tests of a file are skipped, where a call names them or a variable does."""
    found: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("importorskip", "find_spec", "skipif")):
            # A name may be one of those that the test is parametrized with.
            where = node if node.args and not isinstance(node.args[0], ast.Name) else tree
            constants = [one.value for one in ast.walk(where) if isinstance(one, ast.Constant)]
            found |= {str(value).partition(".")[0] for value in constants} & set(PEERS)
    return found


def test_every_test_that_needs_a_peer_runs_beside_the_peers():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ntest-peers:")[2].partition("\n\n")[0]
    listed = [ROOT / path for path in re.findall(r"\btests/\S+", recipe)]
    assert listed and all(path.exists() for path in listed)
    need = {file: peers_of(file) for file in (ROOT / "tests").rglob("test_*.py")}
    assert set().union(*need.values()) == set(PEERS)  # what looks for them sees them
    skipped = [str(file) for file, peers in need.items() if peers and not {file, file.parent} & set(listed)]
    assert not skipped, "add them to test-peers in the Makefile, or the tests to tests/interop/test_peers.py"


def test_make_lint_and_the_hooks_run_the_same_versions():
    lint = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\nlint = [")[2].partition("]\n")[0]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = dict(re.findall(r'"([\w-]+)==([\d.]+)"', lint))
    assert pinned == dict(re.findall(r"/(?:mirrors-)?(ruff|mypy|clang-format)\S*\n +rev: v(\S+)", hooks))
    assert len(pinned) == 3


def test_the_version_is_the_installed_one():
    try:
        assert metadata.version("recurra") == recurra.__version__
    except metadata.PackageNotFoundError:
        pytest.skip("recurra is used from its sources, not installed")


def test_the_changelog_begins_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+),", changelog, re.MULTILINE)[1] == recurra.__version__


@pytest.mark.skipif(os.name == "nt", reason="no compiler on the path: Visual Studio's is found otherwise")
def test_a_python_without_headers_is_told_which_package_has_them(tmp_path):
    cmake = pytest.importorskip("cmake", reason="the build tools are not installed")
    options = [f"-DPython_EXECUTABLE={sys.executable}", "-DPython_INCLUDE_DIR=/nowhere"]
    command = [f"{cmake.CMAKE_BIN_DIR}/cmake", "-S", str(ROOT), "-B", str(tmp_path), *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert "install python3-dev" in " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as `make wheel` does."""
    pytest.importorskip("scikit_build_core", reason="the build tools are not installed")
    folder = tmp_path_factory.mktemp("wheel")
    options = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--wheel-dir",
        str(folder),
    ]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    return next(folder.glob("recurra-*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("recurra/", "recurra-")) for name in names)
    assert sum(name.startswith("recurra/_native.") and name.endswith((".so", ".pyd")) for name in names) == 1
    assert {"recurra/py.typed", "recurra/_native.pyi"} <= set(names)
    for licence in ("LICENSE", "THIRD_PARTY.txt"):
        assert [name for name in names if name.endswith(f".dist-info/licenses/{licence}")]
    assert not [name for name in names if name.startswith("recurra/") and name.endswith((".cpp", ".h", ".a", ".txt"))]


def test_the_wheel_works_without_the_sources(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *libraries])}
    code = (
        "import recurra, numpy; from recurra import layers; print(recurra.__file__); "
        "print(layers.LSTM(3)(numpy.ones((2, 4, 1))).shape)"
    )
    command = [sys.executable, "-S", "-c", code]  # -S: without the editable installation of these sources
    printed = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == [str(tmp_path / "recurra" / "__init__.py"), "(2, 3)"]
