"""The report in a real browser: from the file system, without a network, at every size."""

import shutil

import pandas as pd
import pytest

pytestmark = [pytest.mark.pipeline, pytest.mark.xdist_group("pipeline")]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, finished):
    """The report of the suite `ci`; requests to a network and console errors are collected."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.noise = []
    page.on("console", lambda message: page.noise.append(message.text))
    page.on("pageerror", lambda error: page.noise.append(str(error)))
    page.on("request", lambda request: page.noise.append(request.url))
    page.goto((finished.folder / "results" / "report.html").as_uri())
    yield page
    page.close()


def column(page, table, number):
    return (
        page.locator(table)
        .locator("tbody tr")
        .evaluate_all("(rows, n) => rows.map(row => row.cells[n].textContent)", number)
    )


def test_it_opens_without_network_or_errors(page):
    page.wait_for_timeout(200)
    urls = [text for text in page.noise if not text.startswith(("file://", "data:"))]
    assert not urls
    assert page.locator("h1").count() == 1


def test_tables_sort_by_click_and_by_keyboard(page):
    table = "section#toy-ring-ci table.sortable >> nth=0"
    before = column(page, table, 0)
    heads = page.locator(table).locator("thead th")
    share = [head.inner_text().strip() for head in heads.all()].index("high-quality share ↑")
    button = heads.nth(share).locator("button")
    button.click()
    assert heads.nth(share).get_attribute("aria-sort") == "descending"
    values = [float(text.split()[0]) for text in column(page, table, share)]
    assert values[:-1] == sorted(values[:-1], reverse=True)
    assert column(page, table, 0)[-1].startswith("real data")
    button.focus()
    page.keyboard.press("Enter")
    values = [float(text.split()[0]) for text in column(page, table, share)]
    assert values[:-1] == sorted(values[:-1])
    assert sorted(column(page, table, 0)) == sorted(before)
    assert not [text for text in page.noise if "rror" in text]


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_no_sideways_scrolling(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for claim in page.locator("details summary").all():
        claim.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_mode_and_print(page):
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.emulate_media(media="print", color_scheme="light")
    assert page.locator("#claims").is_visible()


def test_every_number_of_the_tables_is_in_the_score_table(page, finished):
    """With one seed a cell is the value itself."""
    scores = pd.read_csv(finished.folder / "results" / "scores.csv")
    shown = page.locator("td[data-value]").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    assert len(shown) > 60
    known = scores.value.dropna().to_numpy()
    for value in shown:
        assert abs(known - value).min() <= 1e-9 * max(1, abs(value))


def test_files_that_the_page_links_to_exist(page, finished):
    links = page.locator("a[href]").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    files = [link for link in links if not link.startswith("#")]
    assert len(files) > 20
    for link in files:
        assert (finished.folder / "results" / link).exists(), link


def test_captions_state_the_counts_of_this_suite(page):
    text = page.locator("section#toy-ring-ci").inner_text()
    assert "From 2,000 samples at 41 times" in text
    assert "1,000 points a panel" in text
