"""What one interpreter has: `frameworks.py` lists its libraries, `frameworks.py torch` imports one and asks it.

`frameworks.py packages` lists all that is installed. Prints one JSON object on its last line. Listing imports only
NumPy; a framework is imported alone in its own process, since an import that crashes or hangs must take nothing else
with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

NAMES = ("torch", "jax", "tensorflow")


def listing() -> dict[str, Any]:
    """The interpreter, NumPy with the BLAS behind it, and which frameworks are installed."""
    found = {name: _version(name) for name in NAMES if importlib.util.find_spec(name) is not None}
    return {"version": sys.version.split()[0], "prefix": sys.prefix, "found": found, **_numpy()}


def _numpy() -> dict[str, Any]:
    if importlib.util.find_spec("numpy") is None:
        return {}
    import numpy

    try:
        told = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        blas = f"{told.get('name', '')} {told.get('version', '')}".strip()
    except Exception:  # older NumPy only prints it
        blas = ""
    return {"numpy": numpy.__version__, "blas": blas, "loaded": _loaded()}


def _loaded() -> list[str]:
    """BLAS libraries that are mapped into this process: what is really used, whatever was configured."""
    maps = Path("/proc/self/maps")
    text = maps.read_text() if maps.exists() else ""
    return sorted(
        {m.group(1) for m in re.finditer(r"/lib(\w*(?:openblas|mkl_rt|mkl_core|blis|armpl|nvpl_blas)\w*)", text)}
    )


def _version(name: str) -> str | None:
    import importlib.metadata  # takes longer than all else that a list of packages needs

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def packages() -> dict[str, Any]:
    """Every distribution on the path: by the names of their folders, since to open hundreds takes a second."""
    found: dict[str, str] = {}
    for folder in sys.path:
        for path in sorted(Path(folder).glob("*.*-info")) if folder and Path(folder).is_dir() else ():
            match = re.fullmatch(r"(.+?)(?:-([^-]+))?(?:-py[\d.]+.*)?\.(?:dist|egg)-info", path.name)
            if match:  # the first on the path is the one that is imported
                name = re.sub(r"[-_.]+", "-", match[1]).lower()
                found.setdefault(name, f"{name}=={match[2] or 'unknown'}{_origin(path)}")
    return {"packages": sorted(found.values())}


def _origin(path: Path) -> str:
    """What a version does not say: the commit it was built from, or that its files may change at any time (PEP 610)."""
    try:
        told = json.loads((path / "direct_url.json").read_text())
        commit = told.get("vcs_info", {}).get("commit_id", "")
        return f" @ {commit[:12]}" if commit else " (editable)" if told.get("dir_info", {}).get("editable") else ""
    except (OSError, ValueError, AttributeError):
        return ""


def torch() -> dict[str, Any]:
    """PyTorch: what it was built for, and the accelerators it reaches."""
    t = importlib.import_module("torch")
    builds = {"CUDA": getattr(t.version, "cuda", None), "ROCm": getattr(t.version, "hip", None)}
    builds["XPU"] = getattr(t.version, "xpu", None)
    devices = [f"cpu ({t.get_num_threads()} threads)"]
    for kind in ("cuda", "xpu", "hpu"):
        module = getattr(t, kind, None)
        if module is not None and module.is_available():
            devices += [f"{kind}:{i} {module.get_device_name(i)}" for i in range(module.device_count())]
    if getattr(t.backends, "mps", None) is not None and t.backends.mps.is_available():
        devices.append("mps")
    build = ", ".join(f"{name} {version}" for name, version in builds.items() if version) or "CPU"
    return {"version": t.__version__, "build": build, "devices": devices}


def jax() -> dict[str, Any]:
    """JAX: its backend and devices."""
    j = importlib.import_module("jax")
    return {"version": j.__version__, "build": j.default_backend(), "devices": [str(d) for d in j.devices()]}


def tensorflow() -> dict[str, Any]:
    """TensorFlow: what it was built for, and its devices."""
    t = importlib.import_module("tensorflow")
    info = t.sysconfig.get_build_info()
    build = ", ".join(f"{k} {info[v]}" for k, v in (("CUDA", "cuda_version"), ("ROCm", "rocm_version")) if info.get(v))
    return {
        "version": t.__version__,
        "build": build or "CPU",
        "devices": [d.name for d in t.config.list_physical_devices()],
    }


if __name__ == "__main__":
    sys.path.pop(0)
    ask = {"torch": torch, "jax": jax, "tensorflow": tensorflow, "packages": packages}
    answer = ask[sys.argv[1]]() if len(sys.argv) > 1 else listing()
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
