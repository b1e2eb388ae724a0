"""`TableProbe`: what it looks up, and what it refuses."""

from __future__ import annotations

import pytest

from turnwise.rewards.protocols import PolicyProbe
from turnwise.rewards.table_probe import TableProbe


def user(text):
    return [{"role": "system", "content": "rules"}, {"role": "user", "content": text}]


def test_it_is_a_probe():
    assert isinstance(TableProbe({}), PolicyProbe)


def test_one_number_stands_for_every_word_and_a_sequence_for_itself():
    probe = TableProbe({"a": -1.0, "b": [-0.5, -1.5]})
    values = probe.answer_logprobs([user("a"), user("b")], ["three words long", "anything"])
    assert [value.tolist() for value in values] == [[-1.0] * 3, [-0.5, -1.5]]


def test_an_empty_answer_has_no_tokens():
    assert TableProbe({"a": -1.0}).answer_logprobs([user("a")], [""])[0].shape == (0,)


def test_the_last_user_message_counts():
    context = [*user("a"), {"role": "assistant", "content": "b"}]
    assert TableProbe({"a": -1.0, "b": -9.0}).answer_logprobs([context], ["x"])[0].tolist() == [-1.0]


def test_a_function_sees_the_context_and_the_answer():
    probe = TableProbe(lambda context, answer: -float(len(context)) if answer == "yes" else -9.0)
    values = probe.answer_logprobs([user("a"), user("a")], ["yes", "no"])
    assert [value.tolist() for value in values] == [[-2.0], [-9.0]]


def test_what_the_table_lacks_is_an_error_without_a_default():
    with pytest.raises(KeyError, match="no entry for the message 'a'"):
        TableProbe({}).answer_logprobs([user("a")], ["x"])
    assert TableProbe({}, default=-3.0).answer_logprobs([user("a")], ["x"])[0].tolist() == [-3.0]


def test_contexts_and_answers_come_in_pairs():
    with pytest.raises(ValueError, match="2 contexts, 1 answers"):
        TableProbe({}, default=0.0).answer_logprobs([user("a"), user("a")], ["x"])
