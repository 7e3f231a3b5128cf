"""What the READMEs and the guides show is real: every command and every piece of Python in them is run.

    ```console   `$ command` lines are run in a folder that has `examples/`; what follows them is what they print
    ```python    run as one program per page; a ```text block right behind is what it prints
    ```pycon     a session, as doctest runs it

`...` in an output stands for what changes from run to run. Commands that install or build are not run from here:
`make` targets are resolved with `make --dry-run`, and `pip install` must name an extra that exists.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

import recurra

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").rglob("*.md"))]
MORE_PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", ROOT / "native" / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
LANGUAGES = {"console", "python", "pycon", "text", "csv"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[tuple[str, str]]:
    """Returns (language, text) of every fenced block of a page."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[tuple[str, str]]:
    """Returns (command, output shown) of every `$` line of a page."""
    return [found for language, text in blocks(page) if language == "console" for found in COMMAND.findall(text)]


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def assert_shown(shown: str, printed: str, what: str) -> None:
    """Fails unless `printed` is what the page shows."""
    if not doctest.OutputChecker().check_output(shown, printed, OPTIONS):
        pytest.fail(f"{what}\n--- the page shows\n{shown}--- it printed\n{printed}", pytrace=False)


def run_shell(command: str, folder: Path) -> str:
    """Runs a command as in a terminal 100 columns wide and returns stdout."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}
    finished = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, f"$ {command}\n{finished.stderr}"
    return finished.stdout


def run_python(source: str, namespace: dict) -> str:
    """Runs a program and returns what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "<page>", "exec"), namespace)
    return printed.getvalue()


def assert_install_command_is_sound(command: str) -> None:
    """Fails unless `make TARGET` or `pip install ".[EXTRA]"` names something that exists."""
    if command.startswith("make"):
        subprocess.run(["make", "--dry-run", *shlex.split(command)[1:]], cwd=ROOT, check=True, capture_output=True)
    else:
        extra = re.search(r"\[(\w+)\]", command)
        pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert extra is None or re.search(rf"^{extra[1]} = \[", pyproject, re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """A folder with the repository's examples in it, as a clone has."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_print_what_the_page_shows(page, folder):
    for command, shown in commands(page):
        if command.startswith(("make", "pip install", "git clone")):
            assert_install_command_is_sound(command)
        else:
            assert_shown(shown, run_shell(command, folder), f"$ {command}")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_python_prints_what_the_page_shows(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    recurra.utils.clear_session()  # names are counted from one, as in a program of its own
    namespace: dict = {"__name__": "__main__"}
    found = blocks(page)
    for (language, source), (next_language, shown) in zip_longest(found, found[1:], fillvalue=("", "")):
        if language == "python":
            printed = run_python(source, namespace)
            if next_language == "text":
                assert_shown(shown, printed, source)
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(source, namespace, page_name(page), str(page), 0)
            assert doctest.DocTestRunner(optionflags=OPTIONS).run(test, clear_globs=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_no_block_escapes_the_tests(page):
    found = blocks(page)
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(found)
    assert {language for language, _ in found} <= LANGUAGES
    for language, text in found:
        if language == "console":
            assert "".join(command[0] for command in COMMAND.finditer(text)) == text


def anchors(page: Path) -> set[str]:
    """Returns what links to the headings of a page end in, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES], ids=page_name)
def test_links_between_the_pages_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text)
    assert len(links) == text.count("](") - text.count("](http")
    targets = [((page.parent / file).resolve() if file else page, anchor) for file, anchor in links]
    missing = [file for file, _ in targets if not file.exists()]
    assert not missing
    assert {file for file, _ in targets if file.suffix == ".md"} <= {*PAGES, *MORE_PAGES, ROOT / "CHANGELOG.md"}
    assert not [(file, anchor) for file, anchor in targets if anchor and anchor not in anchors(file)]


@pytest.mark.parametrize("english", [page for page in PAGES if "ko" not in page_name(page)], ids=page_name)
def test_the_korean_page_shows_the_same_code(english):
    korean = ROOT / "README.ko.md" if english.name == "README.md" else ROOT / "docs" / "ko" / english.name
    without_comments = [[re.sub(r"\s*#.*", "", text) for _, text in blocks(page)] for page in (english, korean)]
    assert without_comments[0] == without_comments[1]


def test_the_first_command_installs_what_the_main_job_needs():
    first, _ = commands(ROOT / "README.md")[0]
    dry_run = subprocess.run(["make", "--dry-run", "--always-make", "demo"], cwd=ROOT, capture_output=True, text=True)
    assert first == 'pip install ".[forecast]"'
    assert "--editable '.[forecast]'" in dry_run.stdout
