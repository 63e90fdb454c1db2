"""A lossy line between two peers, in userspace: the same on every machine, and the same again for the same seed."""
