"""How many CPUs a control group allows, from files as Linux writes them."""

import math

import pytest

from recurra._cpus import cpu_quota


@pytest.mark.parametrize(
    "listing, limits, expected",
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/pod/box\n", {"pod/cpu.max": "200000 100000", "pod/box/cpu.max": "max 100000"}, 2.0),
        ("0::/pod/box\n", {"pod/cpu.max": "200000 100000", "pod/box/cpu.max": "50000 100000"}, 0.5),
        ("0::/of/outside\n", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/../sibling\n", {"cpu.max": "300000 100000"}, 3.0),
        ("4:cpu,b:/docker/1f\n0::/\n", {"cpu,b/cpu.cfs_quota_us": "50000", "cpu,b/cpu.cfs_period_us": "25000"}, 2.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("3:cpuset:/\n", {"cpuset/cpu.max": "100000 100000"}, math.inf),
        ("", {}, math.inf),
    ],
)  # fmt: skip
def test_the_least_limit_of_a_group_and_those_around_it(tmp_path, listing, limits, expected):
    (tmp_path / "listing").write_text(listing)
    for name, text in limits.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert cpu_quota(str(tmp_path / "listing"), str(tmp_path / "mount")) == expected


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert cpu_quota(str(tmp_path / "absent")) == math.inf


@pytest.mark.parametrize("quota, threads", [(0.5, 1), (1.5, 1), (2.0, 2)])
def test_threads_keep_to_whole_cpus_of_the_quota(monkeypatch, quota, threads):
    from recurra.ops import native

    told = []
    monkeypatch.delenv("RECURRA_NUM_THREADS", raising=False)
    monkeypatch.setattr(native, "cpu_quota", lambda: quota)
    monkeypatch.setattr(native, "get_num_threads", lambda: 8)
    monkeypatch.setattr(native, "set_num_threads", told.append)
    native._heed_quota()
    assert told == [threads]
    monkeypatch.setenv("RECURRA_NUM_THREADS", "8")
    native._heed_quota()
    assert told == [threads]
