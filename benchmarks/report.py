"""Puts the figures of a run into the guides: tables between markers, and a picture of the training steps.

    python benchmarks/report.py FOLDER

FOLDER holds the JSON files that the benchmarks wrote, `make bench` into out/bench. A guide says where a table goes by
`<!-- figures: QUESTION -->`, and `<!-- end of figures -->` behind it. `<!-- figures: QUESTION TARGET -->` takes figures
of that target alone: a run elsewhere leaves them.
"""

import importlib
import json
import re
import sys
from pathlib import Path

import harness
import train_step

ROOT = Path(__file__).parents[1]
GUIDES = {"en": ROOT / "docs" / "performance.md", "ko": ROOT / "docs" / "ko" / "performance.md"}
IMAGES = ROOT / "docs" / "images"
BLOCK = re.compile(r"(<!-- figures: (\w+)(?: (\w+))? -->\n).*?(<!-- end of figures -->)", re.DOTALL)
ALT = {
    "en": "How many times faster than the best other library a training step is",
    "ko": "학습 한 스텝이 가장 빠른 다른 라이브러리보다 몇 배 빠른지",
}
KOREAN = {
    "layer": "층",
    "threads": "스레드",
    "units": "유닛",
    "streams": "스트림",
    "best peer": "가장 빠른 상대",
    "times faster": "배율",
    "% of sgemm": "sgemm 대비 %",
    "1 to 2 threads": "1→2 스레드 배율",
    "recurra, 1 thr.": "recurra, 스레드 1",
    "recurra, 2 thr.": "recurra, 스레드 2",
    "library": "라이브러리",
    "Python alone": "Python만",
    "process that imports it": "불러오는 프로세스",
    "installed": "설치 크기",
    "distributions": "배포판 수",
    "what": "항목",
    "training step": "학습 한 스텝",
    "predict at once": "동시 예측",
    "time of one": "한 번에 걸리는 시간",
    "times one thread": "스레드 1 대비",
    "training takes": "학습이 쓰는 메모리",
    "kept for backward": "역전파에 필요한 양",
    "ratio": "비율",
    "predictions of one row": "한 행 예측 횟수",
    "growth": "늘어난 메모리",
    "target": "타깃",
    "dropout": "드롭아웃",
    "model": "모델",
    "between layers": "층 사이",
    "of the state": "상태",
    "LSTM(32), softmax: the class of a series": "LSTM(32), softmax: 시계열의 클래스",
    "Embedding with mask, LSTM(64): a label of 100 words": "마스크가 있는 Embedding, LSTM(64): 단어 100개의 레이블",
    "Embedding with mask, Bidirectional(LSTM(64)): tags of 50 words": (
        "마스크가 있는 Embedding, Bidirectional(LSTM(64)): 단어 50개의 태그"
    ),
    "Embedding, LSTM(128), softmax: the next of 2,000 words": (
        "Embedding, LSTM(128), softmax: 단어 2,000개 중 다음 단어"
    ),
    "LSTM(64) encoder, LSTM(64) decoder": "LSTM(64) 인코더, LSTM(64) 디코더",
    "Conv1D(64) twice, causal": "Conv1D(64) 두 층, causal",
    "Conv1D(64), MaxPooling1D, Dense(50): a textbook's nine steps": (
        "Conv1D(64), MaxPooling1D, Dense(50): 교과서 예제의 타임스텝 9개"
    ),
    "Bidirectional(LSTM(32)) with dropout of both kinds": "두 가지 드롭아웃이 있는 Bidirectional(LSTM(32))",
}


def read(folder: Path) -> dict[str, dict]:
    """Returns the results of a folder by their questions."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return {result["question"]: result for result in results}


def markdown(table: harness.Table, language: str) -> str:
    """Returns a table in Markdown."""

    def line(cells: list[str]) -> str:
        words = [_translated(cell) for cell in cells] if language == "ko" else cells
        return "| " + " | ".join(words) + " |\n"

    return line(table.columns) + "|---" * len(table.columns) + "|\n" + "".join(map(line, table.rows))


def _translated(cell: str) -> str:
    return re.sub(r" to (?=[\d.]+ (?:s|ms|µs)\))", "~", KOREAN.get(cell, cell))


def with_figures(text: str, results: dict[str, dict], language: str) -> str:
    """Returns a guide with the tables of these results; questions that have none keep what they had."""

    def block(found: re.Match) -> str:
        result = results.get(found[2])
        if result is None or found[3] not in (None, result["machine"]["target"]):
            return found[0]
        tables = importlib.import_module(found[2]).tables(result)
        body = "\n".join(markdown(table, language) for table in tables)
        if found[2] == "train_step" and train_step.has_peers(result["records"]):
            body = f"![{ALT[language]}]({'../' * (language == 'ko')}images/{picture_of(result).name})\n\n{body}"
        return f"{found[1]}\n{body}\n{harness.describe(result)}.\n\n{found[4]}"

    return BLOCK.sub(block, text)


def picture_of(result: dict) -> Path:
    """Returns the file for the picture of these training steps."""
    return IMAGES / f"train_step_{result['machine']['target']}.svg"


def draw(result: dict, file: Path) -> None:
    """Draws how many times faster than the best other library a training step is; needs a run with peers."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "recurra"  # the same figures give the same file
    from matplotlib import pyplot

    records = result["records"]
    layers = list(dict.fromkeys(record["layer"] for record in records))
    threads = sorted({record["threads"] for record in records})
    figure, axes = pyplot.subplots(1, len(layers), figsize=(11, 3.6), sharey=True, layout="constrained")
    for axis, layer in zip(axes, layers, strict=True):
        own = [r for r in records if r["library"] == "recurra" and r["layer"] == layer]
        shapes = [record["shape"] for record in own if record["threads"] == threads[0]]
        for index, count in enumerate(threads):
            ratios = [train_step.times_faster(records, layer, shape, count) for shape in shapes]
            places = [place + 0.4 * index for place in range(len(shapes))]
            bars = axis.bar(places, ratios, 0.38, label=f"{count} thread" + "s" * (count > 1), color=f"C{index}")
            axis.bar_label(bars, fmt="%.1f", fontsize=6.5, padding=1)
        axis.axhline(1, color="0.4", linewidth=0.8)
        axis.set_xticks([place + 0.2 for place in range(len(shapes))])
        axis.set_xticklabels([", ".join(map(str, shape)) for shape in shapes], rotation=40, ha="right", fontsize=7)
        axis.yaxis.set_major_formatter("{x:g}×")
        axis.set_title(layer)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("times faster than the best peer")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    figure.supxlabel("batch, timesteps, features, units", fontsize=8)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main(folder: Path) -> None:
    """Rewrites the guides, and the picture where the run had peers."""
    results = read(folder)
    if not results or any(result["quick"] for result in results.values()):
        sys.exit(f"{folder} expected to hold results, none of a quick run: run `make bench` first")
    for language, guide in GUIDES.items():
        guide.write_text(with_figures(guide.read_text(encoding="utf-8"), results, language), encoding="utf-8")
    steps = results.get("train_step")
    if steps and train_step.has_peers(steps["records"]):
        draw(steps, picture_of(steps))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
