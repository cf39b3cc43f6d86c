"""One process of several: the in-batch loss of its rows and its gradients, summed over processes; python
shared_batch.py FOLDER under torchrun."""

import sys
from pathlib import Path

import safetensors.torch
import torch.distributed as dist

from adapter_stilts.encoder.in_batch import in_batch_loss


def main():
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    rank, count = dist.get_rank(), dist.get_world_size()
    given = safetensors.torch.load((folder / "in").read_bytes())
    mine = {name: given[name].clone().requires_grad_() for name in ("queries", "candidates", "scale")}
    loss, _ = in_batch_loss(
        mine["queries"][rank::count], mine["candidates"][rank::count], mine["scale"], given["labels"][rank::count]
    )
    loss.backward()
    found = {"loss": loss.detach().reshape(1), **{name: tensor.grad for name, tensor in mine.items()}}
    for tensor in found.values():
        dist.all_reduce(tensor)
    if rank == 0:
        (folder / "out").write_bytes(
            safetensors.torch.save({name: tensor.contiguous() for name, tensor in found.items()})
        )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
