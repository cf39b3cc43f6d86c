"""Bottlenecks whose matrices are sums of Kronecker products, with one rule for all of them.

Karimi Mahabadi et al. (2021), https://arxiv.org/abs/2106.04647
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.modules.base import AdapterParts, Settings, modules
from adapter_stilts.encoder.modules.bottleneck import Pair, place_bottlenecks
from adapter_stilts.encoder.trunk.base import TrunkModel

SHARED_RULE = "shared_parameters"
OWN_RULE = 0.01  # standard deviations of a rule's first values
ONE_RULE = 0.0001


class HypercomplexLinear(nn.Module):
    """x H + b, where H is the sum of the Kronecker products of `dim` rules A_i and low-rank matrices L_i R_i.

    A_i [dim, dim] is the layer's own parameter `phm_rule`, or the adapter's, shared by all of its layers.
    """

    def __init__(self, inputs: int, outputs: int, settings: Settings) -> None:
        super().__init__()
        dim, rank, own = settings["phm_dim"], settings["phm_rank"], not settings["shared_phm_rule"]
        if inputs % dim or outputs % dim:
            raise ValueError(f"phm_dim {dim} does not divide both {inputs} and {outputs} dimensions")
        if own:
            self.phm_rule = nn.Parameter(torch.empty(dim, dim, dim))
        self.W_left = nn.Parameter(torch.empty(dim, inputs // dim, rank))
        self.W_right = nn.Parameter(torch.empty(dim, rank, outputs // dim))
        self.b = nn.Parameter(torch.zeros(outputs))
        for left, right in zip(self.W_left.data, self.W_right.data, strict=True):
            nn.init.xavier_normal_(left)
            nn.init.xavier_normal_(right)
        if own:
            nn.init.normal_(self.phm_rule, std=OWN_RULE)

    def share(self, rule: nn.Parameter) -> None:
        """Use the adapter's rule; it stays the adapter's parameter."""
        self.__dict__["phm_rule"] = rule

    def forward(self, hidden: Tensor) -> Tensor:
        matrices = torch.bmm(self.W_left, self.W_right)
        projected = hidden @ _kronecker(self.phm_rule, matrices).sum(0)
        projected += self.b
        return projected


@modules.register("compacter")
def compacter(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """Hypercomplex bottlenecks; the shared rule is drawn last."""
    place_bottlenecks(parts, settings, trunk, _hypercomplex_pair)
    if settings["shared_phm_rule"]:
        dim = settings["phm_dim"]
        rule = nn.Parameter(nn.init.normal_(torch.empty(dim, dim, dim), std=ONE_RULE))
        for module in parts.modules():
            if isinstance(module, HypercomplexLinear):
                module.share(rule)
        parts.put(SHARED_RULE, nn.ParameterDict({"phm_rule": rule}))


def _hypercomplex_pair(width: int, narrow: int, settings: Settings) -> Pair:
    return HypercomplexLinear(width, narrow, settings), HypercomplexLinear(narrow, width, settings)


def _kronecker(a: Tensor, b: Tensor) -> Tensor:
    """Kronecker products [N, m p, n q] of the matrices in a [N, m, n] and b [N, p, q]."""
    products = a[:, :, None, :, None] * b[:, None, :, None, :]
    return products.reshape(len(a), a.shape[1] * b.shape[1], a.shape[2] * b.shape[2])
