from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards.text_features import hashed_ngrams


@given(st.text(), st.integers(1, 300), st.sampled_from([(1,), (1, 2), (2,), (1, 3)]))
def test_unit_length_or_zero(text: str, dim: int, n: tuple[int, ...]) -> None:
    vector = hashed_ngrams(text, dim, n=n)
    assert vector.shape == (dim,)
    assert vector.dtype == np.float32
    length = float(vector @ vector)
    assert length == 0.0 or length == pytest.approx(1.0, abs=1e-5)


def test_words_ignore_case_and_spacing_but_not_order() -> None:
    assert (hashed_ngrams("Red  shirt", 512) == hashed_ngrams("red\nshirt", 512)).all()
    assert (hashed_ngrams("red shirt", 512, n=(1,)) == hashed_ngrams("shirt red", 512, n=(1,))).all()
    assert (hashed_ngrams("red shirt", 512) != hashed_ngrams("shirt red", 512)).any()
    assert (hashed_ngrams("click[1]", 512) != hashed_ngrams("click 1", 512)).any()


def test_texts_without_ngrams_are_zero() -> None:
    assert not hashed_ngrams("", 8).any()
    assert not hashed_ngrams(" \n", 8).any()
    assert not hashed_ngrams("one", 8, n=(2,)).any()


def test_unrelated_texts_are_nearly_orthogonal_and_related_ones_are_not() -> None:
    words = [f"w{i}" for i in range(2000)]
    vectors = np.stack([hashed_ngrams(" ".join(words[i : i + 40]), 2048) for i in range(0, 2000, 40)])
    similarity = vectors @ vectors.T
    off_diagonal = similarity[~np.eye(len(vectors), dtype=bool)]
    assert abs(off_diagonal.mean()) < 0.01  # signed hashing is unbiased
    assert np.abs(off_diagonal).max() < 0.2
    half_shared = hashed_ngrams(" ".join(words[20:60]), 2048) @ vectors[0]
    assert half_shared == pytest.approx(0.5, abs=0.1)


def test_ngrams_of_equal_words_do_not_cancel() -> None:
    assert hashed_ngrams("a a a a", 64, n=(2,)).any()
    assert hashed_ngrams("a a a a", 64, n=(3,)).any()


def test_other_processes_compute_the_same_vector() -> None:
    text = "Put the lamp on the desk — grün, 灯, \U0001f4a1"
    program = (
        "import sys; from turnwise.rewards.text_features import hashed_ngrams;"
        f"sys.stdout.write(hashed_ngrams({text!r}, 64).tobytes().hex())"
    )
    results = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert results == {hashed_ngrams(text, 64).tobytes().hex()}


def test_lone_surrogates_are_text_too() -> None:
    assert hashed_ngrams("\ud800 x", 16).any()


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        hashed_ngrams("x", 0)
    with pytest.raises(ValueError, match="n must hold sizes of at least 1"):
        hashed_ngrams("x", 8, n=(0, 1))
