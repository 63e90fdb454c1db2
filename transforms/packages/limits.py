"""What a model package may take, in one place: everything here is read before it is trusted."""

from __future__ import annotations

MAX_BYTES = 1 << 30
"""Of a package unpacked: twice the largest known face network (a swapper of 554 MB)."""

MAX_FILES = 32
"""In one package: weights, a projection, a licence, a few notes."""

MAX_MANIFEST = 64 << 10
"""Bytes of model.toml: a hundred times what one takes."""

MAX_INSTALLED = 256
"""Packages in a store that are looked at: a list that somebody can read."""

MAX_ELEMENTS = 1 << 28
"""Numbers in one tensor of weights, 1 GiB of float32: no more than a package may hold."""

MAX_DIMENSIONS = 8
"""Of one tensor of weights: three more than a convolution in time and space has."""

MAX_NODES = 1 << 15
"""Operators, and likewise tensors of weights, of one network: ten times the largest known."""

MAX_DEPTH = 4
"""Graphs inside graphs: an exported condition takes one or two."""

MAX_SIDE = 2048
"""px of a picture that a network takes or yields."""

MAX_VECTOR = 4096
"""Numbers in an embedding or in a fixed input: the largest known face embedding has 512."""

MAX_BATCH = 8
"""Faces run at once: more than are followed."""

CHUNK = 1 << 20
"""Bytes read at once."""
