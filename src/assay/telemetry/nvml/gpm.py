"""NVIDIA's GPU performance monitoring (GPM), Hopper and later: what the profiling counters did between two samples.

It needs no daemon and no profiler, leaves both free for others, and tells each MIG slice apart.
"""

from __future__ import annotations

from typing import Any

# Key of the raw answer -> NVML_GPM_METRIC_*: shares in per cent, traffic in MiB/s from the device's point of view.
METRICS = {
    "graphics": 1,
    "sm": 2,
    "occupancy": 3,
    "tensor": 5,
    "dram": 10,
    "pcie_tx": 20,
    "pcie_rx": 21,
    "nvlink_rx": 60,
    "nvlink_tx": 61,
}
NOT_SUPPORTED = 3
SHARES = ("graphics", "sm", "occupancy", "tensor", "dram")


class Gpm:
    """Two samples of one GPU or MIG slice, taken in turn."""

    def __init__(self, nvml: Any, handle: Any, instance: int | None = None) -> None:
        """For a GPU, or for a MIG instance of it; raises NVMLError where the chip or the user may not."""
        self.nvml, self.handle, self.instance = nvml, handle, instance
        if not nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice:
            raise nvml.NVMLError(NOT_SUPPORTED)
        self.samples = [nvml.nvmlGpmSampleAlloc(), nvml.nvmlGpmSampleAlloc()]
        self.taken = False  # whether there is an earlier sample to compare with
        try:
            self._sample(self.samples[0])
        except nvml.NVMLError:
            self.close()
            raise
        self.wanted = nvml.c_nvmlGpmMetricsGet_t()
        self.wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
        self.wanted.numMetrics = len(METRICS)
        for place, metric in enumerate(METRICS.values()):
            self.wanted.metrics[place].metricId = metric
        self.answers = [(key, self.wanted.metrics[place]) for place, key in enumerate(METRICS)]
        # Past nvidia-ml-py's own attribute access, which decodes texts and is ten times as slow.
        self.code, self.value = nvml.c_nvmlGpmMetric_t.nvmlReturn.__get__, nvml.c_nvmlGpmMetric_t.value.__get__

    def _sample(self, into: Any) -> None:
        if self.instance is None:
            self.nvml.nvmlGpmSampleGet(self.handle, into)
        else:
            self.nvml.nvmlGpmMigSampleGet(self.handle, self.instance, into)

    def read(self) -> dict[str, float]:
        """What happened since the last call; nothing the first time, or when the driver does not say."""
        nvml = self.nvml
        earlier, later = self.samples
        try:
            self._sample(later)
            self.samples = [later, earlier]
            if not self.taken:
                self.taken = True
                return {}
            self.wanted.sample1, self.wanted.sample2 = earlier, later
            nvml.nvmlGpmMetricsGet(self.wanted)
        except nvml.NVMLError:
            self.taken = False  # what comes next would span a gap
            return {}
        return {
            key: value for key, answer in self.answers if self.code(answer) == 0 and (value := self.value(answer)) >= 0
        }

    def close(self) -> None:
        """Free both samples."""
        for sample in self.samples:
            self.nvml.nvmlGpmSampleFree(sample)
