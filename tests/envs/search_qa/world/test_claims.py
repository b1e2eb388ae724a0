from __future__ import annotations

import re
from collections import Counter

from turnwise.envs.search_qa.world.claims import LABELS, NOT_ENOUGH_INFO, SUPPORTS, claims
from turnwise.envs.search_qa.world.country import country
from turnwise.envs.search_qa.world.relations import RELATIONS

CLAIMED = [(country(0, n), claim) for n in (0, 1, 7, 5_000) for claim in claims(country(0, n), 50)]


def test_labels_are_balanced_and_claims_differ() -> None:
    labels = Counter(claim.label for _, claim in CLAIMED)
    assert set(labels) == set(LABELS)
    assert max(labels.values()) - min(labels.values()) <= 4
    assert len({claim.text for _, claim in CLAIMED}) == len(CLAIMED)
    assert {claim.kind for _, claim in CLAIMED} == {"fact", "time", "count", "order", "missing"}
    assert list(claims(country(0, 1), 9)) == list(claims(country(0, 1), 50))[:9]


def test_hops_are_facts_each_in_one_document() -> None:
    for _, claim in CLAIMED:
        assert 1 <= claim.hops <= 4 and len(claim.lookups) == claim.hops
        assert all(step.document >= 0 for step in claim.lookups)
        assert claim.text[0].isupper() and claim.text.endswith(".") and "{" not in claim.text


def test_true_claims_state_the_last_fact_and_false_ones_another() -> None:
    for _, claim in CLAIMED:
        if claim.kind in ("fact", "time", "count"):
            states_it = any(re.search(rf"\b{re.escape(name)}\b", claim.text) for name in claim.lookups[-1].names)
            assert states_it == (claim.label == SUPPORTS), claim


def test_orders_are_right_or_turned_round() -> None:
    for _, claim in CLAIMED:
        if claim.kind == "order":
            first, second = (int(step.names[0]) for step in claim.lookups[-2:])
            assert (first < second) == (claim.label == SUPPORTS)


def test_undecided_claims_are_about_what_no_document_states() -> None:
    told = 0
    for one, claim in CLAIMED:
        if claim.label == NOT_ENOUGH_INFO:
            assert claim.lookups[-1].names == ()
            assert all(step.names for step in claim.lookups[:-1])
            subject = claim.lookups[-1].document
            assert [relation for s, relation in one.missing if s == subject]
            rumour = one.rumours[0]
            told += rumour.subject == subject and one.entities[rumour.value.entity].name in claim.text
    assert told, "some undecided claims repeat what hearsay says"


def test_no_evidence_is_stated_from_two_sides() -> None:
    asks = {name: RELATIONS[name].asks[0].split("{x}")[0] for name in ("spouse", "partner")}
    for _, claim in CLAIMED:
        for step in claim.lookups:
            assert not step.question.startswith(tuple(asks.values())), step
