"""What small programs beside the engine show: native/tests/*_check.cpp."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "native" / "tests"


def output(name, folder, *options):
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if os.name == "nt" or compiler is None:
        pytest.skip("needs a C++ compiler with GCC's options")
    program = folder / name
    subprocess.run([compiler, "-std=c++20", *options, str(SOURCES / f"{name}.cpp"), "-o", str(program)], check=True)
    return subprocess.run([program], capture_output=True, text=True, timeout=60, check=True).stdout


def test_workers_are_woken_after_callers_that_were_held_up(tmp_path):
    assert output("pool_check", tmp_path, "-O1", "-pthread") == "900\n"  # it hung in the first jobs
