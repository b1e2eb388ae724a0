"""`TransformersPolicy`: a Hugging Face causal language model as a policy, in this process, batched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.conversation import ChatFormat, Conversation, Prompt
from turnwise.agents.generation import Row, SamplingOptions, forward, generate, left_pad, sub_batches
from turnwise.agents.policy import Context, Decision
from turnwise.agents.seeding import stream
from turnwise.agents.stopping import AFTER_ACTION, StopRule
from turnwise.agents.tokens import TokenRow, token_rows
from turnwise.rewards.protocols import Messages
from turnwise.rewards.trajectory import Trajectory


class TransformersPolicy:
    """Writes actions with a causal language model. Also a `PolicyProbe`.

    One forward pass serves all contexts that `act` is given: bucketed by length, padded on the left, with a
    key-value cache that lives as long as the call. Every row draws from its own random stream, made of the seed, the
    episode's id and the turn, so that neither batching nor timing changes what is drawn.

    `Decision.response_logprobs` are those of the model itself, at temperature 1 and over the whole vocabulary: what
    a trainer compares with its own forward pass. With another temperature or `top_p` they are therefore not the
    probabilities with which the tokens were drawn.

    Args:
        model: A model, or a name or path for `AutoModelForCausalLM`.
        tokenizer: Its tokenizer; not needed with a name or path.
        device: `auto` is the first CUDA device, else Apple's, else the CPU; a model that is passed in stays put.
        dtype: `auto` is the one that the weights were saved in; a model that is passed in keeps its own.
        max_new_tokens: Longest message.
        temperature: 0 is greedy.
        top_p: Nucleus sampling; 1 is off.
        seed: Of all draws.
        window: Show the task and the last `window` observations only; None shows everything.
        include_instructions: Whether to show the system prompt.
        max_observation_tokens: Longer observations lose their middle; None keeps them whole.
        max_length: Longest context, message included; None asks the model's configuration. An episode that outgrows
            it is truncated with `context_overflow`.
        batch_size: Most rows in one forward pass; None is bounded by `batch_tokens` alone.
        batch_tokens: Most padded prompt tokens in one forward pass.
        stop: When a message is over, beside the end-of-turn token.
        answer_prefix: What `answer_logprobs` writes before an answer.
        answer_suffix: What it writes after it.
        template_kwargs: Passed to the chat template, for example `{"enable_thinking": False}`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        window: int | None = None,
        include_instructions: bool = True,
        max_observation_tokens: int | None = None,
        max_length: int | None = None,
        batch_size: int | None = None,
        batch_tokens: int = 16_384,
        stop: StopRule = AFTER_ACTION,
        answer_prefix: str = "I now have enough information to answer. <answer>",
        answer_suffix: str = "</answer>",
        template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(model, str):
            model, tokenizer = load(model, tokenizer, device=device, dtype=dtype)
        elif tokenizer is None:
            raise ValueError("TransformersPolicy needs a tokenizer beside a model object")
        elif device != "auto":
            model = model.to(device)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.options = SamplingOptions(max_new_tokens, temperature, top_p)
        self.seed = seed
        self.chat = ChatFormat(tokenizer, **(template_kwargs or {}))
        self.conversation = Conversation(
            self.chat,
            window=window,
            include_instructions=include_instructions,
            max_observation_tokens=max_observation_tokens,
        )
        self.max_length = max_length or _longest_context(model)
        self.batch_size = batch_size or 1_000_000
        self.batch_tokens = batch_tokens
        self.stop = stop
        self.answer_prefix = answer_prefix
        self.answer_suffix = answer_suffix
        self._stop_ids = _stop_ids(model, tokenizer, self.chat)
        self._pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._can_complete: dict[int, bool] = {}

    @property
    def closing_ids(self) -> list[int]:
        """The token that ends a message, as a list; empty where the model has none."""
        closing = self.chat.end_of_turn_id if self.chat.end_of_turn_id is not None else self.tokenizer.eos_token_id
        return [] if closing is None else [closing]

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One sampled message for each context."""
        prompts = [self.conversation.prompt(context) for context in contexts]
        fits = [len(p.ids) + self.options.max_new_tokens <= self.max_length for p in prompts]
        rows = [
            Row(prompt.ids, stream(self.seed, context.episode_id, context.turn))
            for prompt, context in zip(prompts, contexts, strict=True)
        ]
        self._generate([row for row, fit in zip(rows, fits, strict=True) if fit])
        return [
            self._decision(prompt, row) if fit else Decision("", stop_reason="context_overflow")
            for prompt, row, fit in zip(prompts, rows, fits, strict=True)
        ]

    def answer_logprobs(self, contexts: Sequence[Messages], answers: Sequence[str]) -> list[NDArray[np.float64]]:
        """Log-probabilities of each answer's tokens as the assistant's next words, inside the closing phrase.

        The text scored is `answer_prefix + answer + answer_suffix` (IGPO, arXiv 2510.14967); only tokens that cover
        the answer count.

        Args:
            contexts: B conversations that end before the assistant speaks.
            answers: B texts.

        Returns:
            B arrays, one value (nats) for each token that covers the answer.
        """
        pairs = [self._probe(messages, answer) for messages, answer in zip(contexts, answers, strict=True)]
        with torch.no_grad():
            values = self._logprobs([ids for ids, _ in pairs], [positions for _, positions in pairs])
        return [value.double().cpu().numpy() for value in values]

    def action_logprobs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Log-probabilities of the sampled tokens under the present weights, with gradients.

        Returns:
            One (L_t,) tensor for each turn, the turns of all trajectories laid end to end as in `TurnBatch`.
        """
        rows = [row for trajectory in trajectories for row in token_rows(trajectory)]
        values = self.row_logprobs(rows)
        turns: list[Tensor] = []
        for row, value in zip(rows, values, strict=True):
            sampled = row.turn_index[row.response_mask == 1]
            turns += torch.split(value, np.unique(sampled, return_counts=True)[1].tolist())
        return turns

    def row_logprobs(self, rows: Sequence[TokenRow]) -> list[Tensor]:
        """Log-probabilities of the sampled tokens of token rows, with gradients: one (response_mask.sum(),) each."""
        positions = [np.flatnonzero(row.response_mask).tolist() for row in rows]
        return self._logprobs([row.ids.tolist() for row in rows], positions)

    @torch.no_grad()
    def hidden_states(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """(T, d) the last hidden layer at the last token of each turn: what SPA's progress estimator reads."""
        states: list[Tensor] = []
        for row in token_rows(trajectory):
            ids, mask = left_pad([row.ids.tolist()], self._pad_id, self.model.device)
            output = forward(self.model, ids, mask, mask.cumsum(-1) - 1, output_hidden_states=True)
            ends = len(row.turn_index) - 1 - np.unique(row.turn_index[::-1], return_index=True)[1]
            states.append(output.hidden_states[-1][0, torch.from_numpy(ends)])
        return torch.cat(states).float().cpu().numpy()

    def _generate(self, rows: Sequence[Row]) -> None:
        lengths = [len(row.prompt) for row in rows]
        for batch in sub_batches(lengths, rows=self.batch_size, tokens=self.batch_tokens):
            members = [rows[i] for i in batch]
            generate(self.model, members, options=self.options, is_complete=self._is_complete, pad_id=self._pad_id)

    def _decision(self, prompt: Prompt, row: Row) -> Decision:
        return Decision(
            action=self._text(row.ids),
            prompt_ids=prompt.new_ids,
            response_ids=row.ids,
            response_logprobs=row.logprobs,
            restarts_context=prompt.restarts_context,
        )

    def _text(self, ids: Sequence[int]) -> str:
        ids = ids[:-1] if ids and ids[-1] in self._stop_ids else ids
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _is_complete(self, ids: list[int]) -> bool:
        newest = ids[-1]
        if newest in self._stop_ids:
            return True
        if newest not in self._can_complete:
            piece = self._text([newest])
            self._can_complete[newest] = not self.stop.triggers or any(c in piece for c in self.stop.triggers)
        return self._can_complete[newest] and self.stop.is_complete(self._text(ids))

    def _probe(self, messages: Messages, answer: str) -> tuple[list[int], list[int]]:
        """The whole token sequence, and the positions of the tokens that cover the answer."""
        given = self.chat.encode(self.chat.opening(messages))
        start = len(self.answer_prefix)
        end = start + len(answer)
        text = self.answer_prefix + answer + self.answer_suffix
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = encoded["offset_mapping"]
        covering = [len(given) + i for i, (a, b) in enumerate(spans) if a < end and b > start]
        return given + encoded["input_ids"], covering

    def _logprobs(self, sequences: Sequence[list[int]], positions: Sequence[list[int]]) -> list[Tensor]:
        """Log-probability of the token at each of the positions of each sequence."""
        values: list[Tensor | None] = [None] * len(sequences)
        lengths = [len(s) for s in sequences]
        for batch in sub_batches(lengths, rows=self.batch_size, tokens=self.batch_tokens):
            results = sequence_logprobs(
                self.model, [sequences[i] for i in batch], [positions[i] for i in batch], self._pad_id
            )
            for index, result in zip(batch, results, strict=True):
                values[index] = result
        return [value for value in values if value is not None]


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
    longest = ids.shape[1]
    starts = [longest - len(s) for s in sequences]
    first = min((start + p for start, ps in zip(starts, positions, strict=True) for p in ps), default=longest - 1)
    output = forward(model, ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), last=longest - first + 1)
    skipped = longest - output.logits.shape[1]
    rows = [row for row, ps in enumerate(positions) for _ in ps]
    columns = [start + p for start, ps in zip(starts, positions, strict=True) for p in ps]
    where = torch.tensor(columns, dtype=torch.long, device=ids.device)
    row = torch.tensor(rows, dtype=torch.long, device=ids.device)
    # Chosen before the softmax: a context is long, a message short, and a vocabulary large.
    logits = output.logits[row, where - 1 - skipped].float()  # (sum of positions, V)
    chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[row, where][:, None])[:, 0]
    return list(torch.split(chosen, [len(ps) for ps in positions]))


def load(name: str, tokenizer: Any = None, *, device: str | torch.device, dtype: str | torch.dtype) -> tuple[Any, Any]:
    """A model and its tokenizer by name or path, on a device."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    if tokenizer is None:
        # Transformers 5 puts the class that belongs to the model's type in place of a generic one, and with it other
        # rules for splitting words: the same text would become other tokens than the model was trained on.
        generic = get_tokenizer_config(name).get("tokenizer_class") in ("PreTrainedTokenizerFast", "TokenizersBackend")
        tokenizer = (PreTrainedTokenizerFast if generic else AutoTokenizer).from_pretrained(name)
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        device = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    return model.to(device), tokenizer


def _longest_context(model: Any) -> int:
    configuration = getattr(model.config, "get_text_config", lambda: model.config)()
    longest: int = getattr(configuration, "max_position_embeddings", None) or 1_000_000
    return longest


def _stop_ids(model: Any, tokenizer: Any, chat: ChatFormat) -> frozenset[int]:
    """End-of-turn, end-of-text, and whatever else the model's own generation settings stop at."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [chat.end_of_turn_id, tokenizer.eos_token_id, *listed] if i is not None)
