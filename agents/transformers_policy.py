"""`TransformersPolicy`: a Hugging Face causal language model as a policy, in this process, batched."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.answer_probe import Aliases, AnswerProbe
from turnwise.agents.conversation import ChatFormat, Conversation, Prompt
from turnwise.agents.forward import forward, keeps_last_logits, left_pad, precision, sub_batches
from turnwise.agents.generation import Row, SamplingOptions, generate
from turnwise.agents.kept_caches import KeptCaches
from turnwise.agents.likelihood import sequence_logprobs
from turnwise.agents.loading import load, longest_context, stop_ids
from turnwise.agents.message_writer import MessageWriter
from turnwise.agents.policy import Context, Decision
from turnwise.agents.seeding import stream
from turnwise.agents.stopping import AFTER_ACTION, StopRule
from turnwise.agents.tokens import TokenRow, token_rows
from turnwise.agents.weights import WeightsWatch
from turnwise.rewards.protocols import Messages
from turnwise.rewards.trajectory import Trajectory


class TransformersPolicy:
    """Writes actions with a causal language model. Also a `PolicyProbe`.

    All messages that are being written share a forward pass; new ones join as others are finished (`MessageWriter`).
    The key-value cache of a conversation is kept between its turns, so that only what is new goes through the model:
    what the environment has said, and what is written. A past that was rewritten, by a window or a template, is read
    again from where it differs. Every row draws from its own random stream, made of the seed, the episode's id and the
    turn, so that neither batching nor timing changes what is drawn.

    That needs a model whose attention takes masks (`attn_implementation` `sdpa` or `eager`) and does not slide or
    recur; it is tried once on a small example. Other models read every context from its start: `probe.ability` says
    why.

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
        batch_size: Most rows in one forward pass; None is bounded by the tokens alone.
        batch_tokens: Most padded prompt tokens in one forward pass.
        cache_tokens: Most tokens whose keys and values are kept between turns, over all conversations, the least
            recently used going first; and about as many again while messages are written. 0 keeps none. A token takes
            `2 x layers x key-value heads x head width` numbers: 128 KiB in a Llama of 8 billion in bfloat16.
        autocast: Mixed precision of all passes without gradients, for example `torch.bfloat16` over float32 weights.
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
        cache_tokens: int = 131_072,
        autocast: torch.dtype | None = None,
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
        self.max_length = max_length or longest_context(model)
        self.batch_size = batch_size or 1_000_000
        self.batch_tokens = batch_tokens
        self.autocast = autocast
        self.stop = stop
        self.answer_prefix = answer_prefix
        self.answer_suffix = answer_suffix
        self._stop_ids = stop_ids(model, tokenizer, self.chat)
        self._pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._can_complete: dict[int, bool] = {}
        self._kept = KeptCaches(cache_tokens)
        self._watch = WeightsWatch()
        self._probe: AnswerProbe | None = None
        self._writer: MessageWriter | None = None
        self._tickets = itertools.count()
        self._asked: dict[int, tuple[int, Prompt, Row]] = {}
        self._decided: dict[int, tuple[str, Decision]] = {}

    @property
    def closing_ids(self) -> list[int]:
        """The token that ends a message, as a list; empty where the model has none."""
        closing = self.chat.end_of_turn_id if self.chat.end_of_turn_id is not None else self.tokenizer.eos_token_id
        return [] if closing is None else [closing]

    @property
    def probe(self) -> AnswerProbe:
        """What scores answers with this model; `probe.ability` says how."""
        if self._probe is None or self._probe.model is not self.model:
            self._kept.clear()
            self._probe = AnswerProbe(
                self.model,
                self.chat,
                prefix=self.answer_prefix,
                suffix=self.answer_suffix,
                pad_id=self._pad_id,
                batch_size=self.batch_size,
                batch_tokens=self.batch_tokens,
                kept=self._kept,
                autocast=self.autocast,
            )
        return self._probe

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One sampled message for each context."""
        tickets = self._begin(contexts)
        found: dict[int, Decision] = {}
        others: dict[int, tuple[str, Decision]] = {}
        while not found.keys() >= set(tickets):
            for ticket, (episode_id, decision) in self._advance().items():
                if ticket in tickets:
                    found[ticket] = decision
                else:
                    others[ticket] = episode_id, decision
        self._decided |= others
        return [found[ticket] for ticket in tickets]

    def submit(self, contexts: Sequence[Context]) -> None:
        """Begin to answer contexts; `decided` has the answers, each as soon as it is there. See `StreamingPolicy`."""
        self._begin(contexts)

    def decided(self, timeout: float | None = None) -> list[tuple[str, Decision]]:
        """Answers to submitted contexts that are there by now, with their episodes' ids; waits for one at least.

        Args:
            timeout: Seconds after which to return with none.
        """
        end = None if timeout is None else time.monotonic() + timeout
        found = self._advance()
        while not found and self._asked and (end is None or time.monotonic() < end):
            found = self._advance()
        return list(found.values())

    def forget(self, episode_id: str) -> None:
        """Drop what is kept of an episode, which is over, and what it has asked."""
        self._kept.forget(episode_id)
        self._decided = {t: found for t, found in self._decided.items() if found[0] != episode_id}
        for _, _, row in list(self._asked.values()):
            if row.key == episode_id:
                row.key = ""
                del self._asked[id(row)]
                if self._writer is not None:
                    self._writer.withdraw(row)

    def weights_changed(self) -> None:
        """Drop all that was computed with the old weights. A trainer calls it after each update.

        Without it, a change is noticed by the next `act`: the numbers are sampled, see `WeightsWatch`. Messages that
        are just being written go on with what they have read.
        """
        self._kept.clear()

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
        self._notice_new_weights()
        return self.probe.answer_logprobs(contexts, answers)

    def answer_logprobs_by_turn(
        self,
        trajectories: Sequence[Trajectory],
        answers: Sequence[str | Sequence[str]],
        *,
        aliases: Aliases = "first",
        after_last: bool = True,
    ) -> list[list[NDArray[np.float64]]]:
        """The same before the first and after every turn of whole trajectories, each of which is read once.

        See `AnswerProbe.answer_logprobs_by_turn`.
        """
        return self.probe.answer_logprobs_by_turn(trajectories, answers, aliases=aliases, after_last=after_last)

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

    def row_logprobs(self, rows: Sequence[TokenRow], model: Any = None) -> list[Tensor]:
        """Log-probabilities of the sampled tokens of token rows, with gradients: one (response_mask.sum(),) each.

        Args:
            rows: From `token_rows`.
            model: Another one than the policy's own, for example a frozen copy.
        """
        values: list[Tensor | None] = [None] * len(rows)
        for batch in sub_batches([len(row.ids) for row in rows], rows=self.batch_size, tokens=self.batch_tokens):
            members = [rows[i] for i in batch]
            positions = [np.flatnonzero(row.response_mask).tolist() for row in members]
            ids = [row.ids.tolist() for row in members]
            results = sequence_logprobs(self.model if model is None else model, ids, positions, self._pad_id)
            for index, result in zip(batch, results, strict=True):
                values[index] = result
        return [value for value in values if value is not None]

    @torch.no_grad()
    def hidden_states(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """(T, d) the last hidden layer at the last token of each turn: what SPA's progress estimator reads."""
        states: list[Tensor] = []
        for row in token_rows(trajectory):
            ids, mask = left_pad([row.ids.tolist()], self._pad_id, self.model.device)
            options = {"output_hidden_states": True, "use_cache": False, **keeps_last_logits(self.model)}
            output = forward(self.model, ids, mask, mask.cumsum(-1) - 1, **options)
            ends = len(row.turn_index) - 1 - np.unique(row.turn_index[::-1], return_index=True)[1]
            states.append(output.hidden_states[-1][0, torch.from_numpy(ends)])
        return torch.cat(states).float().cpu().numpy()

    @property
    def _can_continue(self) -> bool:
        """Whether the model can go on from a kept cache, in rows of different length."""
        return self.probe.ability.scoring == "tree"

    def _open_writer(self) -> MessageWriter:
        if self._writer is None or self._writer.model is not self.model:
            if self._writer:
                raise RuntimeError("the policy's model was replaced while messages were being written")
            self._writer = MessageWriter(
                self.model,
                self._kept,
                options=self.options,
                is_complete=self._is_complete,
                pad_id=self._pad_id,
                batch_size=self.batch_size,
                batch_tokens=self.batch_tokens,
                buffer_tokens=max(self._kept.tokens, self.batch_tokens),
                autocast=self.autocast,
            )
        return self._writer

    def _begin(self, contexts: Sequence[Context]) -> list[int]:
        """Queue contexts; return the numbers under which `_advance` will have their decisions."""
        if not self._asked:  # nobody trains in the middle of a rollout, and looking takes time
            self._notice_new_weights()
        tickets: list[int] = []
        for context, prompt in [(context, self.conversation.prompt(context)) for context in contexts]:
            tickets.append(next(self._tickets))
            if len(prompt.ids) + self.options.max_new_tokens > self.max_length:
                self._decided[tickets[-1]] = context.episode_id, Decision("", stop_reason="context_overflow")
                continue
            row = Row(prompt.ids, stream(self.seed, context.episode_id, context.turn), key=context.episode_id)
            if self._can_continue:
                self._open_writer().add([row])
            self._asked[id(row)] = tickets[-1], prompt, row
        return tickets

    def _advance(self) -> dict[int, tuple[str, Decision]]:
        """Decisions that were found before, or those of one step, with their episodes' ids."""
        decided, self._decided = self._decided, {}
        if not decided and self._asked:
            try:
                rows = self._open_writer().step() if self._can_continue else self._write_all()
            except BaseException:
                self._asked.clear()
                raise
            for row in rows:
                if id(row) not in self._asked:
                    continue  # withdrawn
                ticket, prompt, _ = self._asked.pop(id(row))
                decided[ticket] = row.key, self._decision(prompt, row)
        return decided

    def _write_all(self) -> list[Row]:
        rows = [row for _, _, row in self._asked.values()]
        for batch in sub_batches([len(row.prompt) for row in rows], rows=self.batch_size, tokens=self.batch_tokens):
            members = [rows[i] for i in batch]
            with precision(self.model, self.autocast):
                generate(self.model, members, options=self.options, is_complete=self._is_complete, pad_id=self._pad_id)
        return rows

    def _notice_new_weights(self) -> None:
        if self._watch.changed(self.model):
            self.weights_changed()

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
