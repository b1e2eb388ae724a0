"""How likely texts are after each of many contexts: one pass over what the contexts share, and a short one on top.

A trajectory of T turns has T + 1 contexts, each the beginning of the next. A pass for each of them reads the first
turn T + 1 times. Here the longest one goes through the model once, with plain causal attention; then all candidates of
all contexts go through together as one tree that looks at the kept keys and values, each candidate as if it stood right
behind its own context: by its positions, and by a mask that hides the rest.

Both in a single pass would need a mask over everything, which takes the attention kernel's fast path away from the
trajectory as well. `benchmarks/likelihood.py` measures it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.answer_tree import Branch, Tree, Trunk, grow
from turnwise.agents.forward import attention_mask, left_pad, logits_at, precision, right_pad, sub_batches
from turnwise.agents.kept_caches import KeptCaches
from turnwise.agents.kv_buffer import KeyValueBuffer, Place
from turnwise.agents.row_pass import read_tokens

Scores: TypeAlias = dict[int, NDArray[np.float64]]
"""By a branch's number: the log-probabilities (nats) of its scored tokens."""

LOGITS_AT_ONCE = 1 << 26
"""Most logits in memory: 256 MiB in float32, 447 places with a vocabulary of 150,000."""


@torch.no_grad()
def score_trees(
    model: Any,
    trunks: Sequence[Trunk],
    *,
    pad_id: int,
    batch_size: int,
    batch_tokens: int,
    kept: KeptCaches | None = None,
    autocast: torch.dtype | None = None,
) -> Scores:
    """Score all branches: a pass over each trunk, and one over all that hangs on it. Trunks of similar length share.

    Args:
        model: A causal language model that takes masks of four dimensions.
        trunks: What to score.
        pad_id: Any id of the vocabulary.
        batch_size: Most trunks in a pass.
        batch_tokens: About the most padded tokens in it.
        kept: Caches of running conversations: a trunk that goes on from one of them is read from there on only, and
            one that may itself be gone on from is kept. None reads everything.
        autocast: Precision of mixed-precision passes, or None. Log-probabilities are computed in float32 always.
    """
    scores: Scores = {}
    found = [("", []) if kept is None else kept.take("", [*trunk.ids[: trunk.needed], 0]) for trunk in trunks]
    known = [len(layers[0][0]) if layers else 0 for _, layers in found]
    new = [max(1, trunk.needed - length) for trunk, length in zip(trunks, known, strict=True)]
    for batch in _batches(trunks, new, batch_size, batch_tokens, 0 if kept is None else kept.tokens):
        members = [trunks[i] for i in batch]
        buffer = KeyValueBuffer()
        buffer.reserve(len(batch), max(trunk.needed for trunk in members))
        for row, i in enumerate(batch):
            buffer.load(row, found[i][1])
        with precision(model, autocast):
            _read_trunks(model, buffer, members, [known[i] for i in batch], pad_id)
            for first, branches in _portions(members, LOGITS_AT_ONCE // model.config.get_text_config().vocab_size):
                scores |= _read_branches(model, buffer, first, members, branches, pad_id)
        for row, (i, trunk) in enumerate(zip(batch, members, strict=True)):
            if kept is not None and (trunk.keep or found[i][0]):
                cache = buffer.take(row, trunk.needed)
                kept.put(found[i][0], trunk.ids[: trunk.needed], cache, evict=bool(found[i][0]))
    return scores


@torch.no_grad()
def score_prefixes(model: Any, trunks: Sequence[Trunk], *, autocast: torch.dtype | None = None) -> Scores:
    """Score all branches on one cache a trunk, piece by piece: read up to a context, score, crop, and read on.

    For models that make their own masks. As little arithmetic as `score_trees`, in many small passes.
    """
    from transformers.cache_utils import DynamicCache

    scores: Scores = {}
    for trunk in trunks:
        # Of whole length in every layer, also where attention slides: what slides out could not be cropped back to.
        cache, length = DynamicCache(), 0
        for branch in sorted(trunk.branches, key=lambda branch: branch.at):
            with precision(model, autocast):
                if branch.at - 1 > length:
                    _read_piece(model, cache, length, trunk.ids[length : branch.at - 1], [0])
                    length = branch.at - 1
                read = [trunk.ids[length], *branch.ids[: branch.scored[-1] if branch.scored else 0]]
                logits = _read_piece(model, cache, length, read, branch.scored)
            scores[branch.number] = _chosen(logits, [branch.ids[position] for position in branch.scored])
            cache.crop(-len(read))
    return scores


@torch.no_grad()
def score_separately(
    model: Any,
    trunks: Sequence[Trunk],
    *,
    pad_id: int,
    batch_size: int,
    batch_tokens: int,
    autocast: torch.dtype | None = None,
) -> Scores:
    """Score all branches with a pass over the whole context of each: what the others are measured by."""
    branches = [(trunk, branch) for trunk in trunks for branch in trunk.branches]
    sequences = [[*trunk.ids[: branch.at], *branch.ids] for trunk, branch in branches]
    scores: Scores = {}
    for batch in sub_batches([len(s) for s in sequences], rows=batch_size, tokens=batch_tokens):
        positions = [[branches[i][1].at + p for p in branches[i][1].scored] for i in batch]
        with precision(model, autocast):
            values = sequence_logprobs(model, [sequences[i] for i in batch], positions, pad_id)
        for i, value in zip(batch, values, strict=True):
            scores[branches[i][1].number] = value.double().cpu().numpy()
    return scores


def sequence_logprobs(
    model: Any, sequences: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], pad_id: int
) -> list[Tensor]:
    """Log-probabilities of chosen tokens given all before them, in one forward pass, with gradients.

    Args:
        model: A causal language model.
        sequences: B token sequences.
        positions: B lists of 0-based positions in them, each at least 1: nothing is said of a first token.
        pad_id: Any id of the vocabulary.

    Returns:
        B tensors, one value a position.
    """
    ids, mask = left_pad(sequences, pad_id, model.device)  # (B, L)
    starts = [ids.shape[1] - len(s) for s in sequences]
    rows = torch.tensor([row for row, ps in enumerate(positions) for _ in ps], dtype=torch.long, device=ids.device)
    columns = [start + p for start, ps in zip(starts, positions, strict=True) for p in ps]
    where = torch.tensor(columns, dtype=torch.long, device=ids.device)
    logits = logits_at(model, ids, (mask.cumsum(-1) - 1).clamp(min=0), rows, where - 1, mask=mask).float()
    chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[rows, where][:, None])[:, 0]
    return list(torch.split(chosen, [len(ps) for ps in positions]))


def _batches(
    trunks: Sequence[Trunk], new: Sequence[int], rows: int, tokens: int, cache_tokens: int
) -> Iterator[list[int]]:
    """Trunks that share a pass: few enough new tokens to read, and few enough in all to hold."""
    for batch in sub_batches(new, rows=rows, tokens=tokens):
        whole = [trunks[i].needed for i in batch]
        for part in sub_batches(whole, rows=rows, tokens=max(tokens, cache_tokens)):
            yield [batch[i] for i in part]


def _read_trunks(
    model: Any, buffer: KeyValueBuffer, trunks: Sequence[Trunk], known: Sequence[int], pad_id: int
) -> None:
    if all(length >= trunk.needed for trunk, length in zip(trunks, known, strict=True)):
        return
    # One token at least for each: a pass has no empty rows.
    past = [min(length, trunk.needed - 1) for trunk, length in zip(trunks, known, strict=True)]
    new = [trunk.ids[length : trunk.needed] for trunk, length in zip(trunks, past, strict=True)]
    read_tokens(model, buffer, 0, past, new, pad_id)


def _portions(trunks: Sequence[Trunk], places: int) -> Iterator[tuple[int, list[list[Branch]]]]:
    """The first row and the branches of rows for one pass: all at once if their logits fit, else row by row."""
    if sum(len(branch.scored) for trunk in trunks for branch in trunk.branches) <= places:
        yield 0, [trunk.branches for trunk in trunks]
        return
    for row, trunk in enumerate(trunks):
        portion: list[Branch] = []
        for branch in trunk.branches:
            if portion and sum(len(b.scored) for b in [*portion, branch]) > places:
                yield row, [portion]
                portion = []
            portion.append(branch)
        yield row, [portion]


def _read_branches(
    model: Any,
    buffer: KeyValueBuffer,
    first: int,
    trunks: Sequence[Trunk],
    branches: Sequence[Sequence[Branch]],
    pad_id: int,
) -> Scores:
    """Send the branches of rows that lie side by side through the model, behind their trunks."""
    members = trunks[first : first + len(branches)]
    trees = [grow(trunk, hanging) for trunk, hanging in zip(members, branches, strict=True)]
    place = Place(first, [trunk.needed for trunk in members], [len(tree.ids) for tree in trees])
    buffer.reserve(first + len(trees), place.end)
    device = model.device
    rows = [row for row, tree in enumerate(trees) for nodes in tree.sources for _ in nodes]
    columns = [node for tree in trees for nodes in tree.sources for node in nodes]
    targets = [token for tree in trees for tokens in tree.targets for token in tokens]
    logits = logits_at(
        model,
        right_pad([tree.ids for tree in trees], pad_id, device),
        right_pad([tree.positions for tree in trees], 0, device),
        torch.tensor(rows, dtype=torch.long, device=device),
        torch.tensor(columns, dtype=torch.long, device=device),
        mask=attention_mask(model, torch.from_numpy(_allowed(trees, place)).to(device)),
        cache=buffer.at(place),
    )
    values = np.split(
        _chosen(logits, targets), np.cumsum([len(b.scored) for hanging in branches for b in hanging])[:-1]
    )
    return {branch.number: value for branch, value in zip((b for h in branches for b in h), values, strict=True)}


def _allowed(trees: Sequence[Tree], place: Place) -> NDArray[np.bool_]:
    """(B, Q, K) what each token of each tree may look at: its context in the trunk, and its ancestors behind it."""
    allowed = np.zeros((len(trees), max(place.new), place.end), dtype=np.bool_)
    allowed[:, :, 0] = True  # padding looks somewhere
    columns = np.arange(place.end)
    for row, (tree, past, new) in enumerate(zip(trees, place.past, place.new, strict=True)):
        allowed[row, :new] = columns < np.asarray(tree.visible)[:, None]
        allowed[row, :new, past : past + new] = tree.ancestors
    return allowed


def _read_piece(model: Any, cache: Any, past: int, ids: Sequence[int], places: Sequence[int]) -> Tensor:
    """Send tokens of one sequence through the model, behind the `past` ones in the cache; logits at some of them."""
    device = model.device
    positions = torch.arange(past, past + len(ids), device=device)[None]
    columns = torch.tensor(places, dtype=torch.long, device=device)
    mask = torch.ones(1, past + len(ids), dtype=torch.long, device=device)
    tokens = torch.tensor([list(ids)], device=device)
    return logits_at(model, tokens, positions, torch.zeros_like(columns), columns, mask=mask, cache=cache)


def _chosen(logits: Tensor, tokens: Sequence[int]) -> NDArray[np.float64]:
    """Log-probabilities of one token at each of (N, V) places, by a float32 softmax."""
    ids = torch.tensor(tokens, dtype=torch.long, device=logits.device)
    values = torch.log_softmax(logits.float(), dim=-1).gather(1, ids[:, None])[:, 0]
    return values.double().cpu().numpy()
