"""Prints the bytes and the number of distributions that these and all that they require have installed, as JSON.

    python benchmarks/installed.py NAME[EXTRA] ...

Needs nothing but the Python whose installations it looks at.
"""

import json
import re
import sys
from importlib import metadata
from pathlib import Path


def installed(names: list[str]) -> dict[str, metadata.Distribution]:
    """Returns the distributions by their normalized names."""
    found: dict[str, metadata.Distribution] = {}
    todo = list(names)
    while todo:
        name, extra = re.match(r"([\w.-]+)(?:\[([\w-]+)\])?", todo.pop()).groups()
        key = re.sub(r"[-_.]+", "-", name).lower()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system
            continue
        if key in found and not extra:
            continue
        found[key] = distribution
        for requirement in distribution.requires or []:
            for_extra = re.search(r"extra == ['\"]([\w.-]+)['\"]", requirement)
            if not for_extra or for_extra[1] == extra:
                todo.append(requirement.partition(";")[0])
    return found


def files_of(distribution: metadata.Distribution) -> set[Path]:
    """Returns the files of a distribution; of an editable one, its sources."""
    files = {Path(file.locate()) for file in distribution.files or []}
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        sources = Path(direct["url"].removeprefix("file://")) / "src"
        files |= {file for file in sources.rglob("*") if "__pycache__" not in file.parts}
    return {file for file in files if file.is_file()}


if __name__ == "__main__":
    found = installed(sys.argv[1:])
    files = set().union(*map(files_of, found.values()))
    print(json.dumps({"bytes": sum(file.stat().st_size for file in files), "distributions": len(found)}))
