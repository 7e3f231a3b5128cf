"""Files and weights of other libraries, one module for each format, reading and writing side by side.

`.keras`, `.weights.h5` and `.h5` go through `recurra.models.load_model` and `model.save`; the rest is here.
"""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.interop.onnx_file import save_onnx, to_onnx
from recurra.interop.safetensors_file import load_safetensors, save_safetensors
from recurra.interop.torch_weights import from_torch, to_torch

__all__ = ["from_torch", "load_safetensors", "save_onnx", "save_safetensors", "to_onnx", "to_torch"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.interop")
