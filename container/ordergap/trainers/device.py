"""Where a fit is computed: on the processors, or on a graphics card."""

from __future__ import annotations

import ctypes
from typing import Literal

from ordergap.errors import UserError

Device = Literal["cpu", "cuda"]


def choose(device: Literal["auto", "cpu", "cuda"], library: str, *, built_for_cuda: bool) -> Device:
    """Where to fit; "auto" is on a graphics card where there is one that the library can use.

    Raises UserError where "cuda" is asked for and not there.
    """
    if device == "cpu":
        return "cpu"
    if built_for_cuda and graphics_cards():
        return "cuda"
    if device == "auto":
        return "cpu"
    lacking = "this machine shows no graphics card"
    if not built_for_cuda:
        lacking = f"{library} is installed in the variant for processors alone"
    raise UserError(
        f"device = cuda: {lacking}; set device to auto or cpu, or run an image with the CUDA "
        "variants on a machine with a graphics card"
    )


def graphics_cards() -> int:
    """How many graphics cards NVIDIA's driver shows this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value
