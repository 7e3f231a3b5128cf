"""How much of the CPUs a control group allows: a container's limit does not show in the number of processors."""

from __future__ import annotations

import math

_FILES = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))  # of versions 2 and 1


def cpu_quota(listing: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> float:
    """Returns how many CPUs' time Linux lets the process take (https://docs.kernel.org/admin-guide/cgroup-v2.html).

    Args:
        listing: The file that names the groups of the process.
        mount: Where their limits are.

    Returns:
        The least limit of its groups and of those that hold them, such as 1.5; infinity if there is none.
    """
    quota = math.inf
    for line in _read(listing).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            parts = path.strip("/").split("/")
            # Within a container the path may be that of outside, and its own group lie at the root.
            groups = ["/".join([mount, controllers, *parts[:depth]]) for depth in range(len(parts) + 1)]
            quota = min(quota, *map(_limit, groups))
    return quota


def _limit(group: str) -> float:
    for names in _FILES:
        words = [word for name in names for word in _read(f"{group}/{name}").split()]
        if len(words) == 2:
            allowed, period = words
            return math.inf if allowed in ("max", "-1") else int(allowed) / int(period)
    return math.inf


def _read(path: str) -> str:
    """Returns what a file holds; nothing if there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
