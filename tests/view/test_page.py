"""The page as a reader's browser shows it. Chromium is real; without one these tests are skipped, and say so."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from components import skip_without

from turnwise.rewards import Trajectory, Turn
from turnwise.view import Section, line_chart, render

HOSTILE = '</script><script>window.pwned = 1</script><img src="https://example.com/x.png" onerror="window.pwned = 1">'


def episode(number: int, rewards: list[float], gains: list[float], action: str = "look[]") -> Trajectory:
    turns = [
        Turn(
            i,
            observation=f"room {i}",
            action=action,
            next_observation=f"room {i + 1}",
            reward=reward,
            valid=i != 1,
            channels={"outcome": reward, "information_gain": gain},
            events=frozenset({"seen"}) if i == 0 else frozenset(),
        )
        for i, (reward, gain) in enumerate(zip(rewards, gains, strict=True))
    ]
    return Trajectory(
        turns,
        task_id=f"task-{number}",
        env_id="tests/Rooms-v0",
        instructions="Find the way out.",
        terminated=True,
        stop_reason="completed",
        privileged={"answer": "the secret door"},
    )


EPISODES = [
    episode(0, [0.0, 0.0, 1.0], [0.1, -0.4, 0.2]),
    episode(1, [0.0, 0.5], [0.0, 0.05], action=HOSTILE),
    episode(2, [0.0, 0.0], [-0.1, 0.1], action="jump[" + "very far " * 300 + "]"),
]


def chromium() -> str | None:
    """A browser on PATH, or the one that Playwright installed."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        path = running.chromium.executable_path
    return path if Path(path).exists() else None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_without("chromium", "playwright is not installed: pip install 'turnwise[gui]'")
    path = chromium()
    absent = "no chromium on PATH and none installed by `playwright install chromium`"
    skip_without("chromium", absent if path is None else None)
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in the browser, with what it logged and asked the network for."""

    def __init__(self, browser: Any, html: str, folder: Path, **options: Any) -> None:
        file = folder / "page.html"
        file.write_text(html, encoding="utf-8")
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.log: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.log.append(message.text))
        self.page.on("pageerror", lambda error: self.log.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[Opened] = []

    def open_(html: str, **options: Any) -> Opened:
        opened.append(Opened(browser, html, tmp_path, **options))
        return opened[-1]

    yield open_
    for each in opened:
        each.context.close()


def test_hostile_text_is_shown_and_does_nothing(open_page: Any) -> None:
    opened = open_page(render(EPISODES, title=HOSTILE))
    opened.page.click("#episode-2 > summary")
    assert opened.page.locator("#episode-2 .act code").first.inner_text() == HOSTILE
    assert opened.page.locator("h1").inner_text() == HOSTILE
    assert opened.evaluate("window.pwned") is None
    assert opened.evaluate("document.images.length") == 0
    assert opened.log == []


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


def test_the_page_asks_the_network_for_nothing(open_page: Any, server: tuple[str, list[str]]) -> None:
    plain = open_page(render(EPISODES))
    assert [url for url in plain.requests if not url.startswith(("file:", "data:"))] == []
    address, asked = server
    opened = open_page(render(EPISODES, sections=[Section("Picture", f'<img src="{address}/a.png">')]))
    opened.page.wait_for_load_state("load")
    assert "Content Security Policy" in opened.log[0]
    assert asked == []


def test_a_section_cannot_run_scripts(open_page: Any) -> None:
    opened = open_page(render(EPISODES, sections=[Section("Curves", "<b>bold</b><script>window.pwned = 1</script>")]))
    assert opened.page.locator(".section b").inner_text() == "bold"
    assert opened.evaluate("window.pwned") is None


def test_bars_have_the_width_and_the_side_of_their_value(open_page: Any) -> None:
    opened = open_page(render(EPISODES[:1]), viewport={"width": 1280, "height": 900})
    bars = opened.evaluate(
        """[...document.querySelectorAll(".term")].map(term => {
            const track = term.querySelector(".track").getBoundingClientRect();
            const bar = term.querySelector("i")?.getBoundingClientRect();
            const middle = track.left + track.width / 2;
            return [term.querySelector("dt").innerText, bar ? (bar.left + bar.right) / 2 > middle : null,
                    bar ? bar.width / track.width : 0, term.querySelector(".num").innerText];
        })"""
    )
    names, right, widths, numbers = zip(*bars, strict=True)
    assert names == ("outcome", "information_gain") * 3
    assert right == (None, True, None, False, True, True)
    # Each term's longest bar fills its half of the track: 1.0 of 1.0, and 0.4 of 0.4.
    assert widths == pytest.approx((0, 0.125, 0, 0.5, 0.5, 0.25), abs=0.01)
    assert numbers == ("0", "+0.1", "0", "−0.4", "+1", "+0.2")


def test_without_negative_terms_bars_start_at_the_left_edge(open_page: Any) -> None:
    opened = open_page(render([episode(0, [0.0, 1.0], [0.2, 0.4])]))
    lefts = opened.evaluate("[...document.querySelectorAll('.term i')].map(i => [i.offsetLeft, i.style.width])")
    assert lefts == [[0, "50%"], [0, "100%"], [0, "100%"]]


def test_filter_and_search(open_page: Any) -> None:
    opened = open_page(render(EPISODES))

    from playwright.sync_api import expect

    def shows(*tasks: str) -> None:
        # Waits: a busy machine paints an episode that comes back later than the click returns.
        expect(opened.page.locator(".episode:visible .task")).to_have_text(list(tasks))

    shows("task-0", "task-1", "task-2")
    opened.page.click("[data-show=yes]")
    shows("task-0")
    opened.page.click("[data-show=no]")
    shows("task-1", "task-2")
    opened.page.fill("#search", "JUMP far")
    shows("task-2")
    expect(opened.page.locator("#count")).to_have_text("1 of 3 shown")
    opened.page.fill("#search", "nothing of the kind")
    shows()
    opened.page.fill("#search", "")
    opened.page.click("[data-show=all]")
    opened.page.click("#unfold")
    assert opened.evaluate("document.querySelectorAll('.episode[open]').length") == 3
    opened.page.click("#unfold")
    assert opened.evaluate("document.querySelectorAll('.episode[open]').length") == 0


def test_without_javascript_everything_can_be_unfolded(open_page: Any) -> None:
    opened = open_page(render(EPISODES), java_script_enabled=False)
    assert not opened.page.locator(".filters").is_visible()
    assert not opened.page.locator("#episode-1 .turn").first.is_visible()
    opened.page.click("#episode-1 > summary")
    assert opened.page.locator("#episode-1 .turn").first.is_visible()


def test_long_text_unfolds_and_is_whole(open_page: Any) -> None:
    opened = open_page(render(EPISODES))
    opened.page.click("#episode-3 > summary")
    action = opened.page.locator("#episode-3 .act").first
    assert "show 1 more line" in action.inner_text()
    action.locator("summary").click()
    assert "".join(action.locator("code").all_inner_texts()).count("very far") == 300


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(open_page: Any, width: int) -> None:
    wide = episode(3, [0.1] * 40, [0.123456] * 40, action="x" * 2000)
    wide.task_id, wide.turns[0].channels["a_very_long_reward_term_name_indeed"] = "t" * 200, -123.4567
    html = render([*EPISODES, wide], title="T" * 100, sections=[Section("Chart", line_chart({"a": [(0, 1), (1, 2)]}))])
    opened = open_page(html, viewport={"width": width, "height": 844})
    opened.page.click("#unfold")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    outside = opened.evaluate(
        f"[...document.querySelectorAll('.episode *')].filter(e => e.getBoundingClientRect().right > {width})"
        ".map(e => e.className)"
    )
    assert outside == []


def test_dark_mode_follows_the_reader(open_page: Any) -> None:
    html = render(EPISODES)
    colours = {}
    for scheme in ("light", "dark"):
        opened = open_page(html, color_scheme=scheme)
        style = opened.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
        colours[scheme] = [sum(int(part) for part in colour[4:-1].split(",")) for colour in style]
    assert colours["light"][0] > colours["light"][1] + 400
    assert colours["dark"][1] > colours["dark"][0] + 400


def test_a_link_to_an_episode_opens_it(open_page: Any) -> None:
    opened = open_page(render(EPISODES))
    opened.evaluate("location.hash = 'episode-2'")
    opened.page.wait_for_selector("#episode-2[open]")
