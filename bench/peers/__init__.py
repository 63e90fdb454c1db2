"""Servers to compare with, each started as a process of its own."""
