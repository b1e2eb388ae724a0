"""What a model can do, found out by trying: a small example, compared with what needs no ability at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch

from turnwise.agents.answer_tree import Branch, Trunk
from turnwise.agents.forward import takes_attention_masks, takes_positions
from turnwise.agents.likelihood import Scores, score_prefixes, score_separately, score_trees

Scoring: TypeAlias = Literal["tree", "prefix", "separate"]
"""`tree`: masks of four dimensions and a cache of ours. `prefix`: a cache that can be cropped. `separate`: neither."""


class Ability(NamedTuple):
    """How a model can be used.

    Attributes:
        scoring: The cheapest way that gives the right scores.
        reason: Why it is not a cheaper one; "" where there is none.
    """

    scoring: Scoring
    reason: str


def find_ability(model: Any, pad_id: int, autocast: torch.dtype | None = None) -> Ability:
    """Try the ways of scoring from the cheapest to the dearest on a small example, and take the first that is right.

    What a small example cannot show is read from the configuration: a window that is longer than the example, and
    rotations that change with the length of the whole sequence.
    """
    if scaling := _changing_rotation(model):
        return Ability("separate", f"positions are rotated by {scaling}, which changes with the length")
    trunks = _example(model)
    common: dict[str, Any] = {"pad_id": pad_id, "batch_size": len(trunks), "batch_tokens": 4096, "autocast": autocast}
    right = score_separately(model, trunks, **common)
    misplaced = score_separately(model, _misplaced(trunks), **common)
    reasons: list[str] = []
    ways: list[tuple[Scoring, str, Callable[[], Scores]]] = [
        ("tree", _no_trees(model), lambda: score_trees(model, trunks, **common)),
        ("prefix", "", lambda: score_prefixes(model, trunks, autocast=autocast)),
    ]
    for scoring, known, score in ways:
        found = known or _wrong(score, right, misplaced, model.dtype if autocast is None else autocast)
        if not found:
            return Ability(scoring, "; ".join(reasons))
        reasons.append(f"{scoring}: {found}")
    return Ability("separate", "; ".join(reasons))


def _wrong(score: Callable[[], Scores], right: Scores, misplaced: Scores, dtype: torch.dtype) -> str:
    """What is wrong with a way of scoring, or ""."""
    try:
        found = score()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a model says in its own way that it does not take something; it is quoted
        return f"{type(error).__name__}: {error}".split("\n")[0]
    difference = _distance(found, right)
    # Rounding is allowed, and a small part of what another context would have made of the same answers.
    allowed = min(1e-3 if dtype == torch.float32 else 0.25, 0.1 * _distance(misplaced, right))
    return (
        "" if difference <= allowed else f"scores are off by {difference:.2g}, of which {allowed:.2g} may be rounding"
    )


def _no_trees(model: Any) -> str:
    """Why trees cannot be right, as far as the configuration says it, or ""."""
    if not takes_attention_masks(model):
        return f"its attention ({model.config._attn_implementation}) takes no masks"
    if not takes_positions(model):
        return "it takes no positions"
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or []) - {"full_attention"}
    if kinds:
        return f"it has layers of {', '.join(sorted(kinds))}"
    window = getattr(config, "sliding_window", None)
    if window is not None and getattr(config, "use_sliding_window", True) and not getattr(config, "layer_types", None):
        return f"its attention slides over {window} tokens"
    return "it attends locally" if "local" in (getattr(config, "attention_layers", None) or []) else ""


def _changing_rotation(model: Any) -> str:
    config = model.config.get_text_config()
    settings = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = {kind for kind in _rope_types(settings) if kind in ("dynamic", "longrope", "su")}
    return ", ".join(sorted(kinds))


def _rope_types(settings: Any) -> Iterator[str]:
    """The kinds of rotation, which may be given for each kind of layer."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _rope_types(value)
        elif name in ("rope_type", "type"):
            yield str(value)


def _example(model: Any) -> list[Trunk]:
    """Two trunks of different length, with branches that share a beginning and branches that do not."""
    vocabulary = model.config.get_text_config().vocab_size
    ids = np.random.default_rng(0).integers(0, vocabulary, 80).tolist()
    long, short, answers = ids[:37], ids[37:56], (ids[56:60], ids[56:58] + ids[60:63], ids[63:64])
    trunks, number = [], 0
    for trunk, places in ((long, (1, 9, 22, 37)), (short, (5, 19))):
        trunks.append(Trunk(trunk))
        for at in places:
            for answer in answers:
                trunks[-1].branches.append(Branch(at, answer, range(len(answer)), number))
                number += 1
    return trunks


def _misplaced(trunks: list[Trunk]) -> list[Trunk]:
    """The same branches, each at a place where it does not belong."""
    moved = []
    for trunk in trunks:
        places = {branch.at: (branch.at + 3) % len(trunk.ids) + 1 for branch in trunk.branches}
        moved.append(Trunk(trunk.ids, [branch._replace(at=places[branch.at]) for branch in trunk.branches]))
    return moved


def _distance(a: Scores, b: Scores) -> float:
    return max(float(np.abs(a[number] - b[number]).max()) for number in b)
