"""How torch runs here: device, threads, determinism, and torchvision without its compiled part."""

import importlib.util
import os
import re
from pathlib import Path

import torch

from gmgan.errors import GmganError

_schemas = None


def use(device: str, threads: int) -> torch.device:
    """Choose the device and make torch deterministic; call once at the start of a process.

    device (str): `auto`, `cpu` or `cuda`. Raises GmganError when a GPU is asked for and there is
    none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise GmganError(
            "execution.device is cuda, but torch sees no GPU; set execution.device to "
            "cpu or auto, or install a CUDA build of torch"
        )
    chosen = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(threads)
    if chosen == "cuda":  # single-threaded CPU kernels are always deterministic
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)
    return torch.device(chosen)


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the processor has bfloat16 instructions; None where Linux does not say."""
    try:
        flags = re.search(r"^(?:flags|Features)\s*:(.*)", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return flags and not {"amx_bf16", "avx512_bf16", "bf16"}.isdisjoint(flags[1].split())


def slow_precision(precision: str, device: str) -> str | None:
    """A line of warning if `precision` is very slow on `device` (auto, cpu, cuda), else None."""
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    if precision == "bfloat16" and on_cpu and cpu_has_bfloat16() is False:
        return (
            "precision: bfloat16 is 18 to 33 times slower than float32 on this processor, which "
            "has no bfloat16 instructions; set training.precision to float32"
        )
    return None


def allow_torchvision_without_ops() -> None:
    """Make `import torchvision` work where its compiled operators do not fit this torch.

    The registry's torchvision is built for the CUDA build of torch and fails at import on a CPU
    build (`operator torchvision::nms does not exist`). None of those operators is used here, so
    their schemas are declared without an implementation. Call before the first import of
    torchvision or torch_fidelity; it does nothing where the operators load.
    """
    global _schemas
    spec = importlib.util.find_spec("torchvision")
    if _schemas is not None or spec is None or not spec.submodule_search_locations:
        return
    for library in Path(spec.submodule_search_locations[0]).glob("_C*.so"):
        try:
            torch.ops.load_library(library)
            return
        except OSError:
            continue
    _schemas = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        _schemas.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
