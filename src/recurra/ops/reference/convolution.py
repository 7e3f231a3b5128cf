"""Convolution over windows of time steps."""

from __future__ import annotations

import numpy as np

from recurra.ops.reference.primitives import Array


def _windows(x: Array, kernel: Array, stride: int, dilation: int) -> Array:
    """Returns the windows of x, in groups: (N, T', groups, size, D / groups)."""
    size, features, _ = kernel.shape
    span = dilation * (size - 1) + 1
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=1)[:, ::stride, :, ::dilation]
    return view.reshape(*view.shape[:2], -1, features, size).swapaxes(-1, -2)


def convolve(x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, dilation: int = 1) -> Array:
    """Returns y[t] = sum over j of x[t * stride + j * dilation] @ kernel[j] + bias.

    Args:
        x: (N, T, D).
        kernel: (size, D / groups, F). With more than one group features and filters are cut into as many parts, and
            each part of the filters sees its part of the features.
        bias: (F,) or None.
        stride, dilation: Steps from window to window, and within a window.

    Returns:
        (N, T', F), of all whole windows.
    """
    windows = _windows(x, kernel, stride, dilation)
    kernels = kernel.reshape(*kernel.shape[:2], windows.shape[2], -1)
    y = np.einsum("ntgjd,jdgf->ntgf", windows, kernels).reshape(*windows.shape[:2], -1)
    return y if bias is None else y + bias


def convolve_gradient(dkernel: Array, dy: Array, x: Array, *, stride: int = 1, dilation: int = 1) -> None:
    """Adds to dkernel the gradient of the kernel of `convolve`: of x by the gradient dy (N, T', F) of its result."""
    windows = _windows(x, dkernel, stride, dilation)
    dgroups = dy.reshape(*dy.shape[:2], windows.shape[2], -1)
    dkernel += np.einsum("ntgjd,ntgf->jdgf", windows, dgroups).reshape(dkernel.shape)
