"""Measurements that a reader can run: turnaround, CPU and quality beside plain aiortc, and what happens under overload."""
