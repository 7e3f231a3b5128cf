"""The pool of native threads: nobody sleeps through a job."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "native" / "tests" / "pool_check.cpp"


def test_workers_are_woken_after_callers_that_were_held_up(tmp_path):
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if os.name == "nt" or compiler is None:
        pytest.skip("needs a C++ compiler with GCC's options")
    program = tmp_path / "pool_check"
    subprocess.run([compiler, "-std=c++20", "-O1", "-pthread", str(SOURCE), "-o", str(program)], check=True)
    run = subprocess.run([program], capture_output=True, text=True, timeout=60)  # it hung in the first jobs
    assert run.stdout == "900\n"
