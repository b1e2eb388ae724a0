"""A policy without a model for `turnwise/SearchQA-v0`: takes a question apart, searches, reads, follows the trail.

    python examples/search_qa_scripted.py                    # the panel
    python examples/search_qa_scripted.py --split test --articles 1000

It knows how the questions and articles of the generated world are worded, and reads nothing but observations.
"""
# ruff: noqa: E501 - one row a relation

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Generator

import gymnasium as gym

from turnwise.envs import ToolCall

Turns = Generator[ToolCall, str, str]  # yields calls, is sent observations, returns a name or a number

# relation: (noun phrases, questions, sentences of an article); the first group that matches is what is meant.
READS = {
    "birthplace": (r"the town where (.+) was born|the birthplace of (.+)", r"In which town was (.+) born|Where was (.+) born", r"was born in ([A-Z][^.]*)\.|a native of ([^,]+),|birthplace is ([^.]+)\."),
    "birth_year": (r"$^", r"In which year was (.+) born", r"year of birth is (\d+)|was born in (\d+)\.|Born in (\d+),"),
    "teacher": (r"the teacher of (.+)|the person who taught (.+)", r"Who taught (.+)|Who was the teacher of (.+)", r"was taught by ([^.]+)\.|was a pupil of ([^.]+)\.|decisive teacher was ([^.]+)\."),
    "university": (r"the university where (.+) studied|the university attended by (.+)", r"At which university did (.+) study|Which university did (.+) attend", r"studied at ([^.]+)\.|degree at ([^.]+)\.|were spent at ([^.]+)\."),
    "spouse": (r"the person whom (.+) married|the spouse of (.+)", r"Whom did (.+) marry|Who was the spouse of (.+)", r"married (\w[^.]+)\.|(?:and|with) ([^.]+) (?:were married|lasted)"),
    "grave": (r"the town where (.+) is buried|the town with the grave of (.+)", r"In which town is (.+) buried|Where is the grave of (.+)", r"is buried in ([^.]+)\.|grave is in ([^.]+)\.|laid to rest in ([^.]+)\."),
    "founder": (r"the founder of (.+)|the person who founded (.+)", r"Who founded (.+)|Who was the founder of (.+)", r"was founded by ([^.]+)\.|founder was ([^.]+)\.|It was ([^.]+) who founded"),
    "founded": (r"$^", r"In which year was (.+) founded", r"founding year is (\d+)|existed since (\d+)|began in (\d+)"),
    "seat": (r"the town where (.+) has its seat today|the present home town of (.+)", r"In which town does (.+) have its seat today|Where is (.+) based today", r"has been (?:based )?in (\w+) since"),
    "creator": (r"the person who (?:wrote|painted|composed|designed) (.+)|the (?:author|painter|composer|architect) of (.+)", r"Who (?:wrote|painted|composed|designed) (.+)|By whom was (.+) (?:written|painted|composed|designed)", r"was (?:written|painted|composed|designed) by ([^.]+)\.|It was ([^.]+) who (?:wrote|painted|composed|designed)|The (?:author|painter|composer|architect) was ([^.]+)\."),
    "year": (r"$^", r"In which year was (.+) completed", r"completed in (\d+)|completion is (\d+)|to an end in (\d+)"),
    "home": (r"the organisation that (?:publishes|owns|stages) (.+)", r"Which organisation (?:publishes|owns|stages) (.+)", r"Today ([^.]+) (?:publishes|owns|stages) it|It is ([^.]+) that (?:publishes|owns|stages)|([A-Z][^.]+?) (?:publishes|owns|stages) The"),
    "dedicatee": (r"the person to whom (.+) is dedicated|the dedicatee of (.+)", r"To whom is (.+) dedicated|Who is the dedicatee of (.+)", r"is dedicated to ([^.]+)\.|dedication is to ([^.]+)\.|first page names ([^.]+)\."),
    "place": (r"the town where (.+) stands|the location of (.+)", r"In which town does (.+) stand|Where does (.+) stand", r"stands in ([^.]+)\.|sights of ([^.]+)\.|The site is in ([^.]+)\."),
    "opened": (r"$^", r"In which year did (.+) open", r"opened in (\d+)|opening year is (\d+)|open since (\d+)"),
    "patron": (r"the person who paid for (.+)|the patron of (.+)", r"Who paid for (.+)|Who was the patron of (.+)", r"paid for by ([^.]+)\.|patron was ([^.]+)\.|money came from ([^.]+)\."),
    "river": (r"the river on which (.+) lies|the river that flows through (.+)", r"On which river does (.+) lie|Which river flows through (.+)", r"lies on ([^.]+)\.|town flows ([^.]+)\.|banks of ([^.]+)\."),
    "square": (r"the person after whom the main square of (.+) is named", r"After whom is the main square of (.+) named", r"square is named after ([^.]+)\.|square recalls ([^.]+)\.|statue of ([^,]+), after whom"),
    "partner": (r"the partner town of (.+)", r"Which is the partner town of (.+)|With which town does (.+) have a partnership", r"partner town is ([^.]+)\.|partnership with ([^.]+)\.|links it with ([^.]+)\."),
    "chartered": (r"$^", r"In which year did (.+) receive its charter", r"charter in (\d+)|charter is of (\d+)|charter since (\d+)"),
    "population": (r"$^", r"How many inhabitants does (.+) have", r"(\d+) inhabitants|inhabitants is (\d+)"),
    "length": (r"$^", r"How many kilometres long is (.+)", r"(\d+) kilometres"),
    "surveyor": (r"the person who first surveyed (.+)", r"Who first surveyed (.+)|By whom was (.+) first surveyed", r"surveyed by ([^.]+)\.|work of ([^.]+)\.|([A-Z]\w+ [^.]+) first surveyed its"),
    "held": (r"$^", r"In which year was (.+) held", r"was held in (\d+)|The year was (\d+)|took place in (\d+)"),
    "venue": (r"the building in which (.+) was held|the venue of (.+)", r"In which building was (.+) held|What was the venue of (.+)", r"venue was ([^.]+)\.|meetings were held in ([^.]+)\.|gathered in ([^,]+), the venue"),
    "organiser": (r"the organisation that organised (.+)|the organiser of (.+)", r"Which organisation organised (.+)|Who was the organiser of (.+)", r"organised by ([^.]+)\.|organiser was ([^.]+)\."),
    "opener": (r"the person who gave the opening speech at (.+)", r"Who gave the opening speech at (.+)", r"speech was given by ([^.]+)\.|([A-Z][^.]+) gave the opening|opening speech ([A-Z][^.]+) praised"),
    "giver": (r"the organisation that gives (.+)", r"Which organisation gives (.+)|By which organisation is (.+) given", r"is given by ([^.]+)\.|It is ([^.]+) that gives|giver is ([^.]+)\."),
    "size": (r"$^", r"How many .+ does (.+) have", r"(?:has|were) (\d+) [a-z]|number of [a-z ]+ is (\d+)"),
}  # fmt: skip
# What is in doubt in an article, as the article calls it.
DOUBTS = {"birthplace": "birthplace", "birth_year": "year of birth", "grave": "place of the grave",
          "founder": "founder", "creator": "author|painter|composer|architect"}  # fmt: skip
HAPPENED = {"was born": "birth_year", "was founded": "founded", "was completed": "year", "opened": "opened",
            "received its charter": "chartered", "was held": "held"}  # fmt: skip
TIMED = {
    "holder": r"(?:the person who|Who) was (.+) in (\d+)",
    "winner": r"(?:the winner of|Who won) (.+) in (\d+)",
    "seat": r"(?:the town where|In which town did) (.+) (?:had|have) its seat in (\d+)",
    "employer": r"(?:the organisation for which|For which organisation did) (.+) work(?:ed)? in (\d+)",
}
SHARED = {"was born in": "birthplace", "studied at": "university", "was taught by": "teacher", "is buried in": "grave"}
WINNER = rf"(.+?) (?:who )?({'|'.join(SHARED)}) (.+)"
COMPARED = {
    "the older of the two people": ("birth_year", min), "the younger of the two people": ("birth_year", max),
    "that was founded first": ("founded", min), "that opened first": ("opened", min),
    "that opened last": ("opened", max), "that was completed first": ("year", min),
    "that has more inhabitants": ("population", max), "that received its charter first": ("chartered", min),
    "that was held first": ("held", min),
}  # fmt: skip


class Missing(Exception):  # noqa: N818 - an answer, not an error
    """No document states a fact of the thing with this name."""


def first_group(pattern: str, text: str, whole: bool = False) -> str:
    match = re.fullmatch(pattern, text) if whole else re.search(pattern, text)
    return next((group for group in match.groups() if group), "") if match else ""


def plain(name: str) -> str:
    return re.sub(r"^the | \(.*\)$", "", name)


class Reader:
    """One episode: articles read so far, and those that the answer rests on."""

    def __init__(self) -> None:
        self.articles: dict[str, tuple[str, str, str]] = {}  # name -> id, title, text
        self.cited: list[str] = []

    def article(self, name: str) -> Generator[ToolCall, str, tuple[str, str, str]]:
        """The article about a name: searched by it, recognised by its title, through redirects."""
        if name in self.articles:
            return self.articles[name]
        wanted = {name, name.removeprefix("the ")}
        if role := re.fullmatch(r"the ([a-z ]+) ([A-Z].+)", name):
            wanted |= {f"{role[2]} ({role[1]})"}
        for query in (name, f"{plain(name)} is a", f"{plain(name)} {plain(name)} encyclopaedia"):
            lines = (yield ToolCall("search", {"query": query})).splitlines()
            hits = [line.split(" | ") for line in lines if line.count(" | ") >= 2]
            for doc_id, title, *_ in hits:
                if title in wanted:
                    text = yield ToolCall("open", {"document": doc_id})
                    if other := first_group(r"is another name of (.+); see there", text):
                        return (yield from self.article(other))
                    self.articles[name] = doc_id, title, text
                    return self.articles[name]
        raise LookupError(name)

    def fact(self, name: str, relation: str) -> Turns:
        """One fact, from the article, or from the register where the article is in doubt."""
        doc_id, title, text = yield from self.article(name)
        if re.search(rf"[Tt]he (?:{DOUBTS.get(relation, '$^')}) is usually given as", text):
            doc_id, _, text = yield from self.article(f"Civil register: {title}")
        self.cited.append(doc_id)
        body = text.split("\n", 2)[2] if text.count("\n") > 2 and "Civil register" not in text else text
        value = first_group(READS[relation][2], body)
        if not value:
            raise Missing(plain(title))
        return value

    def at_time(self, relation: str, name: str, year: int) -> Turns:
        """What was true of a thing in a year."""
        doc_id, _, text = yield from self.article(name)
        self.cited.append(doc_id)
        periods = [(int(a), int(b), v) for a, b, v in re.findall(r"- (\d+) to (\d+): (.+)", text)]
        periods += [(int(a), 9999, v) for a, v in re.findall(r"- since (\d+): (.+)", text)]
        periods += [(int(a) - 1, int(a) + 1, v) for a, v in re.findall(r"- (\d+): (.+)", text)]
        before = r"in (\w+) from (\d+) to (\d+)" if relation == "seat" else r"for ((?:[A-Z]\w+ ?)+) from (\d+) to (\d+)"
        periods += [(int(a), int(b), v) for v, a, b in re.findall(before, text)]
        periods += [(int(a), 9999, v) for v, a in re.findall(r"has been (?:based )?in (\w+) since (\d+)", text)]
        return next((value.strip() for a, b, value in periods if a < year < b), "")

    def thing(self, phrase: str, column: int = 0) -> Turns:
        """What a noun phrase (column 0 of the table) or a question (column 1) means; a name means itself."""
        if match := re.fullmatch(f"(?:the|Which) winner of {WINNER}", phrase):
            return (yield from self.winner(*match.groups()))
        for relation, pattern in TIMED.items():
            if match := re.fullmatch(pattern, phrase):
                return (yield from self.at_time(relation, (yield from self.thing(match[1])), int(match[2])))
        for relation, patterns in READS.items():
            if inner := first_group(patterns[column], phrase, whole=True):
                return (yield from self.fact((yield from self.thing(inner)), relation))
        return phrase

    def winner(self, award: str, shared: str, value: str) -> Turns:
        """The winner of an award of whom something is true."""
        wanted = plain((yield from self.thing(value)))
        title = (yield from self.article(wanted))[1] if " " not in wanted else wanted
        doc_id, _, text = yield from self.article(award)
        self.cited.append(doc_id)
        hits = (yield ToolCall("search", {"query": f"{shared} {plain(title)}"})).splitlines()
        likely = [hit.split(" | ")[1] for hit in hits if " | " in hit]
        for name in sorted(re.findall(r"- \d+: (.+)", text), key=lambda name: name not in likely):
            found = yield from self.fact(name, SHARED[shared])
            if plain(found) in (wanted, plain(title)):
                return name
            self.cited.pop()
        return ""

    def two(self, text: str, between: str) -> Generator[ToolCall, str, tuple[str, str]]:
        """Two things, split where both sides make sense."""
        words = text.split(between)
        splits = [(between.join(words[:i]), between.join(words[i:])) for i in range(1, len(words))]
        good = [pair for pair in splits if all(map(self.makes_sense, pair))] or splits
        return (yield from self.thing(good[0][0])), (yield from self.thing(good[0][1]))

    def makes_sense(self, phrase: str) -> bool:
        inner = max(first_group(phrases, phrase, whole=True) for phrases, *_ in READS.values())
        if inner:
            return self.makes_sense(inner)
        return bool(re.fullmatch(r"(the [a-z ]{0,20})?(\bThe )?([A-Z]\w+ ?)+", phrase))

    def answer(self, question: str) -> Turns:
        """The answer to a whole question, sentence by sentence."""
        if match := re.search(r"in the year in which (.+) (was \w+|opened|received its charter)[.?]", question):
            year = yield from self.fact((yield from self.thing(match[1])), HAPPENED[match[2]])
            question = question.replace(match[0], f"in {year}{match[0][-1]}")
        while match := re.match(r"(Consider|Compare) (.+?)\. ", question):
            if match[1] == "Consider":
                question = re.sub(r"this [a-z]+", (yield from self.thing(match[2])), question[match.end() :], count=1)
                continue
            pair = yield from self.two(match[2], " with ")
            ending = next(phrase for phrase in COMPARED if phrase in question)
            relation, better = COMPARED[ending]
            first = int((yield from self.fact(pair[0], relation)))
            chosen = pair[better(first, int((yield from self.fact(pair[1], relation)))) != first]
            question = re.sub(rf"(the one of the two \w+ )?{ending}", chosen, question[match.end() :])
        return (yield from self.last(question.rstrip("?")))

    def last(self, question: str) -> Turns:
        if match := re.fullmatch(r"How many (.+?) did (.+) [a-z]+ from (\d+) to (\d+), both years included", question):
            doc_id, _, text = yield from self.article((yield from self.thing(match[2])))
            self.cited.append(doc_id)
            made = re.findall(r"(\d{4}): (\d+)", text.split("by year:")[-1])
            return str(sum(int(n) for year, n in made if int(match[3]) <= int(year) <= int(match[4])))
        if match := re.fullmatch(r"How many (.+?) do (.+) have together", question):
            relation = "population" if match[1] == "inhabitants" else "size"
            pair = yield from self.two(match[2], " and ")
            first = int((yield from self.fact(pair[0], relation)))
            return str(first + int((yield from self.fact(pair[1], relation))))
        return (yield from self.thing(question, column=1))


def episode(observation: str) -> Generator[ToolCall, str, None]:
    """The calls of one episode: to be sent the observations."""
    reader = Reader()
    try:
        text = plain((yield from reader.answer(observation.removeprefix("Question: "))))
    except Missing as missing:
        text = f"unanswerable: {missing}"
    except LookupError:
        text = "not found"
    yield ToolCall("answer", {"text": text, "citations": list(dict.fromkeys(reader.cited))[:100]})


def play(env: gym.Env, task_id: str) -> tuple[float, dict]:
    """One episode's reward and last info."""
    observation, info = env.reset(options={"task_id": task_id})
    calls = episode(observation)
    call = next(calls)
    while True:
        observation, reward, terminated, truncated, info = env.step(call)
        if terminated or truncated:
            return float(reward), info
        call = calls.send(observation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="panel")
    parser.add_argument("--articles", type=int, default=10_000)
    env = gym.make("turnwise:turnwise/SearchQA-v0", **vars(parser.parse_args()))
    scores: dict[str, list[float]] = defaultdict(list)
    for task_id in env.unwrapped.tasks:
        score, info = play(env, task_id)
        for key in ("all", info["privileged"]["kind"], f"{info['privileged']['hops']} hops"):
            scores[key].append(score)
    for key in sorted(scores):
        print(f"{key:14} {sum(scores[key]) / len(scores[key]):.3f}  ({len(scores[key])} questions)")


if __name__ == "__main__":
    main()
