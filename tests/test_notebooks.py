"""The teaching notebook runs from top to bottom, and its English and Korean editions hold the same code."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
EDITIONS = ("recurrent_networks_en.ipynb", "recurrent_networks_ko.ipynb")


def code_of(edition: str) -> list[str]:
    notebook = nbformat.read(NOTEBOOKS / edition, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: nbformat.NotebookNode) -> str:
    """Returns what a cell printed and the value of its last line."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "".join(texts)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of the kernel, not of recurra
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_notebook_runs_and_learns(edition, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / edition, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    texts = [text_of(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "True" in texts[6]  # the step computed by hand
    for name, parameters in (
        ("SimpleRNN", ("90,600", "180,300", "301")),
        ("LSTM", ("362,400", "721,200", "301")),
        ("Bidirectional", ("724,800", "2,162,400", "601")),
        ("GRU", ("272,700", "541,800", "301")),
    ):
        summary = next(text for text in texts if parameters[0] in text)
        assert all(count in summary for count in parameters), name
    losses = [float(text.split("loss:")[1]) for text in texts if "unseen windows" in text]
    assert len(losses) == 4
    assert all(loss < 1.5 for loss in losses)


def test_both_editions_hold_the_same_code():
    english, korean = map(code_of, EDITIONS)
    assert english == korean


def test_one_import_line_was_changed():
    source = "\n".join(code_of(EDITIONS[0]))
    assert source.count("import recurra.compat.tensorflow as tf") == 1
    assert "import tensorflow as tf" in source  # named in the comment
    assert "recurra." not in source.replace("recurra.compat.tensorflow", "")
