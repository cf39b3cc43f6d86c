"""What a family of trunks gives the encoder: one file, one TrunkModel.

The model holds the weights under the names of the family's files, and runs its layers one by one. At each site of a
layer (`modules/base.py` lists them) its file asks the active composition what to add:

    query = active.at(index, "query", projected, hidden)             a projection: what it gave, what it was given
    attended = active.at(index, "attention", attended, hidden, norm)  the stream: what the block read
    keys, values, padding = active.with_prefix(index, keys, values, padding)

`norm` gives the stream after the block, normalised, from what the block computed. So adapters know nothing of
families, and families nothing of kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from adapter_stilts.encoder.trunk.quantised import PackedLinear
from adapter_stilts.encoder.trunk.rows import UsedRows

if TYPE_CHECKING:
    from adapter_stilts.encoder.sites import Active


@dataclass(frozen=True)
class Shape:
    """What adapters must know of a trunk.

    layers       how many the trunk has, whatever is held of it
    projections  inputs and outputs of each, by site
    dropout      of its attention; AdapterFusion's own
    """

    layers: int
    hidden: int
    heads: int
    projections: Mapping[str, tuple[int, int]]
    dropout: float


class TrunkModel(nn.Module):
    """A family's weights and forward pass.

    The residual stream is float32 in every precision: `embed` and `run` take and give float32.

    architecture  of the family with a masked-LM head, as transformers calls it
    stored        what the names of the weights begin with in its files
    mask_head     names of the masked-LM head's tensors in them: ours -> theirs
    projections   by site, the module in a layer; which third of it where queries, keys and values are one module
    """

    architecture: ClassVar[str]
    stored: ClassVar[str]
    mask_head: ClassVar[Mapping[str, str]]
    projections: ClassVar[Mapping[str, tuple[str, int | None]]]
    shape: Shape

    @property
    def layers(self) -> nn.ModuleList:
        """The layers held, lowest first; those above the one asked for are cut off before they have memory."""
        raise NotImplementedError

    @property
    def word_embeddings(self) -> nn.Embedding | UsedRows:
        """One row for each token, [V, H]."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """Every weight by its name in the family's files, the whole table of word embeddings among them."""
        modules = self.named_modules()
        held = {f"{name}.weight": each.weight for name, each in modules if isinstance(each, UsedRows | PackedLinear)}
        return dict(self.named_parameters()) | held

    def projection(self, layer: int, site: str) -> Tensor:
        """The weight of a projection, [outputs, inputs], as plain numbers where it is stored packed."""
        place, third = self.projections[site]
        held: Any = self.layers[layer].get_submodule(place)
        weight: Tensor = held.weight.detach()
        return weight if third is None else weight.chunk(3)[third]

    def embed(self, input_ids: Tensor) -> Tensor:
        """Token ids [B, T] to hidden state 0, [B, T, H]."""
        raise NotImplementedError

    def run(self, index: int, hidden: Tensor, padding: Tensor | None, active: Active | None) -> Tensor:
        """hidden [B, T, H] through layer `index`.

        padding  [B, 1, 1, T], true where attention may not go; None where nothing is padded
        """
        raise NotImplementedError
