"""Measuring this machine: what it is, and what it does when it is tried."""
