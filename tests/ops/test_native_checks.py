"""What small programs beside the engine show: native/tests/*_check.cpp."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recurra.ops import native

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


@pytest.mark.skipif("avx2" not in native.native_info()["supported"], reason="needs a CPU with AVX2")
def test_quotients_without_a_division_are_those_of_a_division(tmp_path):
    assert output("quotient_check", tmp_path, "-O2", "-mavx2", "-mfma") == "0\n"
