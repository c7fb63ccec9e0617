"""What a device's kernels reach, from measured tables of single operations: priors of its constants."""
