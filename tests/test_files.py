"""Writing files atomically."""

import os
import subprocess
import sys

import pytest

from recurra._files import write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_a_replaced_file_keeps_its_permissions(mode, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    write_atomically(tmp_path / "m.keras", b"new")
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "m.keras").stat().st_mode == (tmp_path / "other").stat().st_mode


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "models").mkdir()
    target = tmp_path / "models" / "m.keras"
    target.write_bytes(b"old")
    link = tmp_path / "latest.keras"
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [*tmp_path.rglob("*.tmp")] == []


@posix
def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_atomically(pipe, b"new")
    assert reader.communicate()[0] == b"new"
    assert pipe.is_fifo()


@posix
def test_standard_output_is_a_file_like_others():
    program = "from recurra._files import write_atomically; write_atomically('/dev/stdout', b'new')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout == b"new"


def test_a_directory_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"m\.keras'$"):
        write_atomically(tmp_path / "m.keras", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def say_on_a_full_disk(path, size, call):
    """The error of `call`, where a limit on the size of files stands for the disk: the kernel stops in the middle."""
    program = f"""
import resource, signal, sys
from recurra import _files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
try:
    _files.{call}
except OSError as error:
    print(error)
"""
    return subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True).stdout


@posix
def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    said = say_on_a_full_disk(path, 2**20, "write_atomically(sys.argv[1], bytes(2**22))")
    assert said == f"[Errno 27] File too large: {str(path)!r}\n"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.keras"]


@posix
def test_a_line_that_a_full_disk_cuts_short_is_taken_back(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"epoch,loss\n")
    said = say_on_a_full_disk(path, 16, "append(sys.argv[1], b'0,0.5\\n')")
    assert said == f"[Errno 27] File too large: {str(path)!r}\n"
    assert path.read_bytes() == b"epoch,loss\n"
