"""`turnwise/WebShop-v0`: find, configure and buy the product that an instruction describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from turnwise.envs.core import ToolCall, ToolError, TurnEnv, tool
from turnwise.envs.webshop import pages
from turnwise.envs.webshop.matching import matched_options, score_purchase
from turnwise.envs.webshop.pages import Page
from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.queries import keyword_queries, suggested_queries
from turnwise.envs.webshop.splits import SPLITS
from turnwise.envs.webshop.store import Catalogue, CatalogueSpec, open_catalogue
from turnwise.envs.webshop.tasks import TaskList, task_list

MAX_QUERY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class WebShopState:
    """Where the agent stands. `options` is sorted by name, so that the order of clicks leaves no trace."""

    page: str = "search"
    query: str = ""
    number: int = 1
    product: int = -1
    options: tuple[tuple[str, str], ...] = ()


class WebShopEnv(TurnEnv):
    """Web shopping after Yao et al. (2022, arXiv 2207.01206): their pages, limits and reward, without Java.

    An instruction names attributes, options and a price bound. The agent searches, opens items, reads their
    description, features and reviews, chooses options and buys. Buying ends the episode with the published reward
    (`turnwise.rewards.purchase_reward`): type score × share of wanted attributes, options and price bound that are met.
    Success is reward 1.

    Args:
        products: Size of the generated catalogue, 10 to 1,000,000. It is generated and indexed once, into the cache.
        catalogue_seed: Seed of the generated catalogue.
        split: `train`, `val`, `test`, or `panel` (100 frozen test tasks of the default catalogue).
        product_file: The original project's product file (`items_shuffle.json`); then `products` and `catalogue_seed`
            are not used.
        attribute_file: The original's attribute file (`items_ins_v2.json`).
        instruction_file: The original's human instructions (`items_human_ins.json`), optional.
        cache_dir: Where built catalogues are kept; default `$TURNWISE_CACHE`, else `~/.cache/turnwise`.
        max_turns: Default 15, as the original's agents are run.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     observation, reward, terminated, truncated, info = env.step(call)
    >>> reward, info["stop_reason"]
    (1.0, 'completed')
    """

    rules = (
        "You are shopping online. Find the product that the instruction describes, choose the options that it names, "
        "and buy it for no more than the stated price. Reading an item's description and features tells you whether "
        "it has the attributes. Buying ends the task: the closer the purchase matches the instruction, the better."
    )
    default_max_turns: ClassVar[int] = 15
    parallel_tool_calls: ClassVar[bool] = False
    privileged_keys: ClassVar[frozenset[str]] = frozenset({"answer", "asin", "attributes", "options", "price_cap"})
    stated_keys: ClassVar[frozenset[str]] = frozenset({"attributes", "options", "price_cap"})
    splits: ClassVar[tuple[str, ...]] = (*SPLITS, "panel")

    state: WebShopState

    def __init__(
        self,
        *,
        products: int = 1000,
        catalogue_seed: int = 0,
        split: str = "train",
        product_file: str | PathLike[str] | None = None,
        attribute_file: str | PathLike[str] | None = None,
        instruction_file: str | PathLike[str] | None = None,
        cache_dir: str | PathLike[str] | None = None,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        if product_file is None:
            spec = CatalogueSpec.generated(products=products, seed=catalogue_seed)
        else:
            spec = CatalogueSpec.files(product_file, attribute_file, instruction_file)
        self.shop = open_shop(spec, None if cache_dir is None else Path(cache_dir))
        self.split = split
        self._tasks = task_list(self.shop.catalogue, split)
        self.goal: Goal | None = None
        self.state = WebShopState()

    @property
    def tasks(self) -> TaskList:
        """The split's task ids; a lazy sequence, so that a million cost nothing."""
        return self._tasks

    def has_task(self, task_id: str) -> bool:
        """Whether the catalogue has the task, in any split: a panel or a snapshot may come from another one."""
        return self._tasks.has(task_id)

    def begin(self, task_id: str) -> str:
        """Read the goal and stand on the search page."""
        self._load_goal(task_id)
        self.state = WebShopState()
        return self._page().text

    @tool
    def search(self, query: str) -> str:
        """Search the shop. Works on the search page.

        Args:
            query: Keywords, for example: red cotton shirt.
        """
        if self.state.page != "search":
            raise ToolError("There is no search box on this page; click[back to search] leads to it.")
        query = " ".join(query.split())[:MAX_QUERY_LENGTH]
        if not query:
            raise ToolError("The query is empty.")
        self.state = WebShopState(page="results", query=query)
        self.record("searched")
        return self._page().text

    @tool
    def click(self, element: str) -> str:
        """Click something that the page shows: an item's id, an option's value, or a button.

        Args:
            element: The id, value or button as the page writes it, for example: next >.
        """
        target = " ".join(element.split()).lower()
        if target not in {shown.lower() for shown in self._page().elements} and not self._is_option(target):
            raise ToolError(self._nothing_to_click(element))
        if target == pages.BUY:
            return self._buy()
        self.state = self._after_click(target)
        return self._page().text

    def admissible_actions(self) -> list[str]:
        """Every click that the page offers; on the search page, queries made of the instruction's own words."""
        if self.state.page == "search":
            return [f"search[{query}]" for query in suggested_queries(self._goal.instruction)]
        return [f"click[{element}]" for element in self._page().elements]

    def privileged(self) -> dict[str, Any]:
        """The goal's product and what the reward checks, for rewards in training."""
        goal = self._goal
        return {
            "answer": self._answer,
            "asin": goal.asin,
            "attributes": list(goal.attributes),
            "options": dict(goal.options),
            "price_cap": goal.price_cap,
        }

    def state_key(self) -> str:
        """The page and what is chosen on it."""
        s = self.state
        return f"{s.page}\0{s.query.lower()}\0{s.number}\0{s.product}\0{s.options}"

    def save_state(self) -> WebShopState:
        """The state itself: it is immutable."""
        return self.state

    def load_state(self, saved: WebShopState) -> None:
        """Take the state over, and read the goal of the task it belongs to."""
        self.state = saved
        if self._task_id:
            self._load_goal(self._task_id)

    def oracle(self) -> Iterator[ToolCall]:
        """From any page: find the goal's product by the instruction's words, choose the options, buy."""
        if self.state.page == "bought":
            return
        product = self.shop.catalogue.position(self._goal.asin)
        chosen: dict[str, str] = {}
        if self.state.product == product:
            chosen = dict(self.state.options)
            if self.state.page != "item":
                yield _click(pages.PREVIOUS)
        else:
            yield from self._way_to(product)
        gold = self.shop.catalogue.product(product)
        for name, value in wanted_options(gold, self._goal):
            if chosen.get(name) != value:
                yield _click(pages.element_of_option(gold, name, value))
        yield _click(pages.BUY)

    # Inside

    @property
    def _goal(self) -> Goal:
        assert self.goal is not None, "call reset() first"
        return self.goal

    def _load_goal(self, task_id: str) -> None:
        self.goal = self._tasks.goal(task_id)
        options = "".join(f", {name}: {value}" for name, value in self.goal.options.items())
        self._answer = f"{self.goal.title}{options}"

    def _page(self) -> Page:
        s = self.state
        if s.page == "search":
            return pages.search_page(self._goal.instruction)
        if s.page == "results":
            return self.shop.results(s.query, s.number)
        return self.shop.product_page(s.page, s.product, s.options)

    def _is_option(self, target: str) -> bool:
        return self.state.page == "item" and pages.option_at(self._product(), target) is not None

    def _product(self) -> Product:
        return self.shop.catalogue.product(self.state.product)

    def _after_click(self, target: str) -> WebShopState:
        s = self.state
        if target == pages.BACK_TO_SEARCH:
            return WebShopState()
        if s.page == "results":
            if target in (pages.NEXT_PAGE, pages.PREVIOUS):
                return replace(s, number=s.number + (1 if target == pages.NEXT_PAGE else -1))
            product = next(p for p in self.shop.hits(s.query, s.number) if self.shop.asin(p).lower() == target)
            self.record("item_opened", *(["goal_item_opened"] if self.shop.asin(product) == self._goal.asin else []))
            return replace(s, page="item", product=product)
        if s.page == "item":
            if target == pages.PREVIOUS:
                return replace(s, page="results", product=-1, options=())
            if target in pages.DETAIL_PAGES:
                self.record("details_read")
                return replace(s, page=target)
            return self._with_option(target)
        return replace(s, page="item")

    def _with_option(self, target: str) -> WebShopState:
        option = pages.option_at(self._product(), target)
        assert option is not None, "click() checks that the option is there"
        name, value = option
        self.record("option_chosen", *(["goal_option_chosen"] if self._goal.options.get(name) == value else []))
        return replace(self.state, options=tuple(sorted({**dict(self.state.options), name: value}.items())))

    def _buy(self) -> str:
        product, chosen = self._product(), dict(self.state.options)
        price = product.price_for(chosen)
        terms = score_purchase(product, self._goal, chosen, price)
        self.finish(terms.pop("reward"))
        self.record(**terms)
        self.record("bought")
        self.state = replace(self.state, page="bought")
        return self._page().text

    def _nothing_to_click(self, element: str) -> str:
        shown = element if len(element) <= 60 else element[:59] + "…"
        if self.state.page == "search":
            return f"There is nothing called {shown!r} to click on the search page; use search[keywords]."
        elements = ", ".join(self._page().elements)
        return f"There is nothing called {shown!r} to click on this page. Click one of: {elements}."

    def _way_to(self, product: int) -> Iterator[ToolCall]:
        """From a page that is not the product's: leaf through the present results if they hold it, else search."""
        s = self.state
        hits = self.shop.catalogue.search(s.query, pages.MAX_RESULTS) if s.page == "results" else ()
        if product in hits:
            query, rank, number = s.query, hits.index(product), s.number
        else:
            if s.page != "search":
                yield _click(pages.BACK_TO_SEARCH)
            query, rank = self._query_that_finds(product)
            yield ToolCall("search", {"query": query})
            number = 1
        turns = rank // pages.RESULTS_PER_PAGE + 1 - number
        yield from [_click(pages.NEXT_PAGE if turns > 0 else pages.PREVIOUS)] * abs(turns)
        yield _click(self._goal.asin)

    def _query_that_finds(self, product: int) -> tuple[str, int]:
        """The first natural query whose first page holds the product, else the best of all; and the product's rank."""
        best: tuple[str, int] | None = None
        gold = self.shop.catalogue.product(product)
        for query in (*keyword_queries(self._goal.instruction), gold.title, gold.asin):
            hits = self.shop.catalogue.search(query[:MAX_QUERY_LENGTH], pages.MAX_RESULTS)
            if product in hits:
                rank = hits.index(product)
                if rank < pages.RESULTS_PER_PAGE:
                    return query, rank
                if best is None or rank < best[1]:
                    best = (query, rank)
        if best is None:
            raise LookupError(f"no query finds the product {gold.asin} of task {self._task_id}")
        return best


class Shop:
    """A catalogue and its rendered pages, shared by all environments of a process. Caches are bounded."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.results = lru_cache(maxsize=2048)(self._results)
        self.product_page = lru_cache(maxsize=4096)(self._product_page)

    def asin(self, product: int) -> str:
        """The id under which a product is clicked."""
        return self.catalogue.product(product).asin

    def hits(self, query: str, number: int) -> Sequence[int]:
        """Positions of the products on one page of results."""
        start = (number - 1) * pages.RESULTS_PER_PAGE
        return self.catalogue.search(query, pages.MAX_RESULTS)[start : start + pages.RESULTS_PER_PAGE]

    def _results(self, query: str, number: int) -> Page:
        total = len(self.catalogue.search(query, pages.MAX_RESULTS))
        return pages.results_page(query, number, [self.catalogue.product(p) for p in self.hits(query, number)], total)

    def _product_page(self, page: str, product: int, options: tuple[tuple[str, str], ...]) -> Page:
        item, chosen = self.catalogue.product(product), dict(options)
        if page == "item":
            return pages.item_page(item, chosen)
        if page == "bought":
            return pages.receipt_page(item, chosen, item.price_for(chosen))
        return pages.detail_page(item, page)


@lru_cache(maxsize=8)
def open_shop(spec: CatalogueSpec, cache_dir: Path | None) -> Shop:
    """The one `Shop` of this process for a catalogue."""
    return Shop(open_catalogue(spec, cache_dir))


def wanted_options(product: Product, goal: Goal) -> Iterator[tuple[str, str]]:
    """The (name, value) choices of a product that a goal's options mean.

    A person who writes an instruction may name a value loosely; the first choice that the reward's own rule accepts
    is taken, those of the option of that name before others.
    """
    for wanted_name, wanted in goal.options.items():
        choices = [(name, value) for name, values in product.options.items() for value in values]
        choices.sort(key=lambda choice: (choice != (wanted_name, wanted), choice[0] != wanted_name))
        yield from [choice for choice in choices if wanted_name in matched_options(goal, dict([choice]))][:1]


def _click(element: str) -> ToolCall:
    return ToolCall("click", {"element": element})
