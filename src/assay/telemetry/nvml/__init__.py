"""NVIDIA's management library (NVML), asked through nvidia-ml-py: whole GPUs, and the MIG slices they are cut into."""
