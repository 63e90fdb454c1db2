"""Runs networks: LiteRT on a CPU, torch elsewhere, both from the same flatbuffer."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from transforms.models.store import Store

Shapes = tuple[tuple[int, ...], ...]


class Network(Protocol):
    """A network for one caller at a time, on the device it was loaded for."""

    @property
    def inputs(self) -> Shapes:
        """The shape of each input for a batch of one, as the flatbuffer says: pictures are (1, H, W, C)."""

    @property
    def outputs(self) -> Shapes:
        """Likewise of each output; one that has no batch dimension in the flatbuffer has one here."""

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Float32 tensors of the network's device in, batch first, any batch size; outputs that the caller may keep.

        Raises ValueError where the inputs have other shapes.
        """


def load(store: Store, name: str, device: torch.device) -> Network:
    """A network of one's own, by its name in the store's catalogue. Blocks while it is fetched and read.

    Raises what ``Store.path`` raises, and ModelRefused for a network that cannot be run.
    """
    if device.type == "cpu":
        from transforms.models.litert import LiteRtNetwork

        return LiteRtNetwork(store.flatbuffer(name), name)
    return load_torch(store, name, device)


def load_torch(store: Store, name: str, device: torch.device) -> Network:
    """As ``load``, but always by torch: slower than LiteRT on a CPU, and there to be compared with it."""
    from transforms.models.flatbuffer import TorchNetwork, graph

    return TorchNetwork(graph(store.flatbuffer(name), name, device))


def check(inputs: tuple[Tensor, ...], shapes: Shapes) -> int:
    """The batch size of the inputs. Raises ValueError where they do not fit the shapes of a network's inputs."""
    given = tuple(tuple(tensor.shape) for tensor in inputs)
    batch = given[0][0] if given and given[0] else 0
    if batch < 1 or given != tuple((batch, *shape[1:]) for shape in shapes):
        raise ValueError(f"the network takes inputs of {shapes} (the first number is the batch's size), not {given}")
    return batch


def batched(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with a batch dimension, which some networks leave out of their output."""
    return shape if shape and shape[0] == 1 else (1, *shape)
