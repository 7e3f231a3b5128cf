"""How long does a training step take in models as people write them: of text, with convolutions, with attention?

    python benchmarks/models.py [--quick] [--peers PYTHON,...] [--json FILE]

Batches of 32 rows, Adam, float32, on one thread; `libraries/models.py` has the models. Beside Keras on its backends.
"""

import harness
from libraries.models import MODELS


def measure(options: harness.Options) -> list[dict]:
    names = list(MODELS)[:1] if options.quick else list(MODELS)
    return harness.take_turns(options, "model_step", [{"model": name} for name in names], threads=[1])


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["model"])]


if __name__ == "__main__":
    harness.main("models", measure, tables)
