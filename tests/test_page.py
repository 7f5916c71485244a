"""The report in a real browser: from the file system, without a network, at every size."""

import io
import os
import shutil

import pandas as pd
import pytest
from conftest import make_project, read_json, rewrite_json
from test_new_dataset import write_digits

pytestmark = pytest.mark.pipeline

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        assert "CI" not in os.environ, ".ci/run installs Chromium"
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
    assert heads.nth(share).get_attribute("aria-sort") == "descending"  # the best first
    values = [float(text.split()[0]) for text in column(page, table, share)]
    assert values[:-1] == sorted(values[:-1], reverse=True)
    assert column(page, table, 0)[-1].startswith("real data")
    button.focus()
    page.keyboard.press("Enter")
    values = [float(text.split()[0]) for text in column(page, table, share)]
    assert values[:-1] == sorted(values[:-1])
    assert sorted(column(page, table, 0)) == sorted(before)
    assert not [text for text in page.noise if "rror" in text]


@pytest.mark.parametrize("width", [360, 800, 1600, 2560])
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
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0  # paper has no clicks
    assert not page.locator("#x-play").is_visible()
    assert len(page.pdf()) > 10_000


def test_every_number_of_the_tables_is_the_one_of_its_cell_in_the_score_table(page, finished):
    """With one seed a cell is the value itself."""
    scores = pd.read_csv(finished.folder / "results" / "scores.csv")
    shown = page.locator("td[data-value] button").evaluate_all(
        "all => all.map(b => [Number(b.closest('td').dataset.value), JSON.parse(b.dataset.trace)])"
    )
    assert len(shown) > 60
    for value, trace in shown:
        rows = scores[
            (scores.dataset == trace["dataset"])
            & (scores.model == trace["model"])
            & (scores.K.isna() if trace["K"] is None else trace["K"] == scores.K)
            & (scores.metric == trace["metric"])
            & (scores.extractor == trace["extractor"])
        ]
        assert rows.value.tolist() == [pytest.approx(value, rel=1e-9)], trace


def test_every_number_shows_the_rows_behind_it(page, finished):
    buttons = page.locator("button[data-trace]").evaluate_all(
        """all => all.map(b => [b.closest("td").dataset.value ?? null,
             rowsBehind(JSON.parse(b.dataset.trace)).map(row => [row.value, row.file])])"""
    )
    assert len(buttons) > 60
    files = set()
    for value, rows in buttons:
        assert rows
        files |= {file for _, file in rows}
        if value is not None:
            mean = sum(value for value, _ in rows) / len(rows)
            assert mean == pytest.approx(float(value), rel=1e-9)
    assert len(files) > 6
    for file in files:
        assert (finished.folder / file).is_file(), file


def test_a_click_shows_where_a_number_comes_from(page, finished):
    run = "digits-ci.gmgan-supervised.K10.s0"
    button = page.locator("section#digits-ci button[data-trace*='gmgan-supervised']").first
    button.focus()
    page.keyboard.press("Enter")
    text = page.locator("dialog#trace").inner_text()
    trained = read_json(finished.folder / "results" / "runs" / run / "train.json")
    for wanted in (
        run,
        trained["data_sha256"],
        trained["weights_sha256"][:12],
        "classifier-digits-ci",
        f"snakemake --cores 1 results/runs/{run}/scores.json",
    ):
        assert wanted in text
    page.keyboard.press("Escape")
    assert not page.locator("dialog#trace").is_visible()
    assert button.evaluate("b => b === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('td').cellIndex") == 2


def test_it_opens_with_what_was_asked(page, finished):
    lead = page.locator("header .lead").all_inner_texts()
    assert len(lead) == 2
    assert "were trained on 8 Gaussians on a circle, seconds (20,000 samples) and" in lead[0]
    assert "a classifier that is right for 9" in lead[1]
    rows = page.locator("table.answers tbody tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    scores = pd.read_csv(finished.folder / "results" / "scores.csv")
    fid = scores[(scores.metric == "fid") & (scores.model != "real")].set_index("model").value
    titles = {"acgan": "AC-GAN", "gmgan-supervised": "GM-GAN, supervised, K = 10"}
    (closest,) = (row for row in rows if row[0] == "digits-ci" and row[4] == "FID")
    assert closest[1] == "closest to the real data"
    assert closest[2] == titles[fid.idxmin()]
    assert float(closest[3]) == pytest.approx(fid.min(), abs=0.005)
    strips = page.locator(".strips figcaption").all_inner_texts()
    assert strips[0] == "real, held out"
    assert len(strips) == 3
    tall = page.evaluate("document.querySelector('#explorer').getBoundingClientRect().top")
    assert tall < 6 * 900  # screens, before the details


def test_the_contents_stay_and_folds_open_by_link(page):
    page.locator("nav.toc a[href='#provenance']").click()
    assert page.locator("nav.toc").bounding_box()["y"] == 0
    fold = page.locator("#provenance details")
    assert fold.get_attribute("open") is None
    page.evaluate("document.querySelector('#provenance table').id = 'inside'")
    page.evaluate("location.hash = '#inside'")
    page.wait_for_timeout(50)
    assert fold.get_attribute("open") is not None


def test_words_are_explained(page):
    meanings = dict(
        page.locator("abbr[title]").evaluate_all("all => all.map(a => [a.textContent, a.title])")
    )
    assert {"FID", "kimg", "GM-GAN"} <= meanings.keys()
    assert page.locator("#glossary dt").count() >= len(meanings)
    words = page.locator("section#digits-ci abbr").all_text_contents()
    words = [word for word in words if word != "†"]  # the mark of a note, as often as needed
    assert len(words) == len(set(words))  # once in a section


def test_tables_are_copied_as_text(page, finished):
    texts = page.evaluate(
        "kinds => kinds.map(k => tableText(document.querySelector('#digits-ci table'), k))",
        ["csv", "markdown", "latex"],
    )
    table = pd.read_csv(io.StringIO(texts[0]))
    assert table.model.tolist()[-1].startswith("real data against")
    stored = (finished.folder / "results/tables/digits-ci.scores.md").read_text().splitlines()
    assert len(texts[1].splitlines()) == len(stored)
    assert texts[2].count(r"\\") == len(table) + 1
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#digits-ci .tools").first.get_by_role("button", name="CSV").click()
    page.wait_for_timeout(100)
    assert page.locator("#digits-ci .tools button").first.inner_text() == "copied"


def test_runs_without_room_in_the_page_come_from_scripts_beside_it(browser, finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    project.edit("gmgan/report/explorer.py", "MOST_BYTES = 2_000_000", "MOST_BYTES = 200_000")
    project.gmgan("report", "--suite", "ci")
    results = project.folder / "results"
    scripts = list((results / "explorer").glob("*.js"))
    assert scripts
    page = browser.new_page()
    page.goto((results / "report.html").as_uri())
    page.select_option("#x-run", scripts[0].stem)
    page.wait_for_timeout(300)
    shown = picture(page, "#x-samples")
    assert page.locator("#x-missing").is_hidden()
    scripts[0].unlink()
    page.reload()
    page.select_option("#x-run", scripts[0].stem)
    page.wait_for_timeout(300)
    assert f"explorer/{scripts[0].name} beside the page" in page.locator("#x-missing").inner_text()
    assert picture(page, "#x-samples") != shown
    page.close()


def picture(page, canvas):
    page.wait_for_timeout(150)
    return page.locator(canvas).evaluate("c => c.toDataURL()")


@pytest.mark.parametrize(
    "run", ["digits-ci.gmgan-supervised.K10.s0", "toy-ring-ci.gmgan-dynamic.K8.s0"]
)
def test_the_slider_changes_the_picture_and_the_numbers(page, finished, run):
    sweep = pd.read_csv(finished.folder / "results" / "tradeoff.csv")
    sweep = sweep[sweep.run == run]
    page.select_option("#x-run", run)
    scales, pictures = sorted(sweep.sigma_scale.unique()), set()
    for i, scale in enumerate(scales):
        page.locator("#x-scale").fill(str(i))
        pictures.add(picture(page, "#x-samples"))
        shown = page.locator("#x-scores dd").evaluate_all(
            "all => all.map(dd => [dd.dataset.metric, Number(dd.dataset.number)])"
        )
        rows = sweep[sweep.sigma_scale == scale].dropna(subset=["value"])
        assert dict(shown) == pytest.approx(dict(zip(rows.metric, rows.value, strict=True)))
        assert [name for name, _ in shown[:2]] == ["quality", "diversity"]
    assert len(pictures) == len(scales)
    page.select_option("#x-group", "3")
    assert picture(page, "#x-samples") not in pictures


def test_film_walks_and_neighbours(page):
    page.select_option("#x-run", "digits-ci.gmgan-supervised.K10.s0")
    last, walk = picture(page, "#x-film"), picture(page, "#x-walk")
    page.locator("#x-time").fill("0")
    assert picture(page, "#x-film") != last
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.getElementById('x-play').textContent === 'Play'")
    assert picture(page, "#x-film") == last
    page.select_option("#x-from", "4")
    there = picture(page, "#x-walk")
    assert there != walk
    page.select_option("#x-from", "1")
    page.select_option("#x-to", "4")
    assert picture(page, "#x-walk") != there
    assert page.locator("#x-near canvas").count() == 10
    page.select_option("#x-run", "toy-ring-ci.gan.K1.s0")  # no components, no images
    page.wait_for_timeout(150)
    assert not page.locator("#x-walk-part").is_visible()
    assert not page.locator("#x-near-part").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_rule_is_broken(page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    for claim in page.locator("details summary").all():
        claim.click()
    response = Axe().run(page).response
    assert len(response["passes"]) > 30
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in response["violations"]] == []


def test_tab_reaches_every_control_in_order(page):
    controls = "a[href], button, select, input, summary, [tabindex='0']"
    wanted = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].filter(
             e => e.tabIndex >= 0 && e.checkVisibility() && !e.closest("dialog")).length""",
        controls,
    )
    reached = 0
    page.evaluate("window.reached = new Set()")
    for _ in range(wanted + 50):
        page.keyboard.press("Tab")
        reached = page.evaluate(
            "() => reached.add(document.activeElement).size - reached.has(document.body)"
        )
        if reached >= wanted:
            break
    assert wanted > 40
    assert reached >= wanted


def test_names_are_text_and_never_markup(browser, finished, tmp_path):
    project = finished.copy(tmp_path / "p")
    nasty = [f"<img src=x onerror=alert({i})>$x_{i}$" for i in range(3)]
    project.edit("params.yaml", "title: handwritten digits, 8 x 8, seconds", f'title: "{nasty[0]}"')
    project.edit("params.yaml", "title: GM-GAN, supervised\n", f'title: "</script>{nasty[1]}"\n')
    about = project.folder / "results" / "data" / "digits.json"
    classes = read_json(about)["classes"]
    rewrite_json(about, classes=[*classes[:3], nasty[2], *classes[4:]])
    project.gmgan("report", "--suite", "ci")
    page, alerts = browser.new_page(), []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto((project.folder / "results" / "report.html").as_uri())
    page.select_option("#x-run", "digits-ci.acgan.K1.s0")
    page.wait_for_timeout(300)
    assert alerts == []
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("section#digits-ci h2").inner_text() == nasty[0]
    assert f"class {nasty[2]}" in page.locator("#x-group").inner_text()
    assert nasty[1] in page.locator("section#digits-ci table").first.inner_text()
    page.close()


def test_files_that_the_page_links_to_exist(page, finished):
    links = page.locator("a[href]").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    files = [link for link in links if not link.startswith("#")]
    assert len(files) > 20
    for link in files:
        assert (finished.folder / "results" / link).exists(), link


def test_captions_state_the_counts_of_this_suite(page):
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # unfolds
    text = page.locator("section#toy-ring-ci").inner_text()
    assert "From 2,000 samples at 41 times" in text
    assert "1,000 points a panel" in text


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The results of a suite on images of one's own that varies sigma."""
    project = make_project(tmp_path_factory.mktemp("own"))
    write_digits(project.folder / "mine")
    project.gmgan("new-dataset", "mine")
    text = (project.folder / "params.yaml").read_text()
    text = text.replace("kimg: 20   ", "kimg: 5   ").replace("kimg: 12   ", "kimg: 4   ")
    text = text.replace(
        "    datasets: mine\n", "    datasets: mine\n    vary:\n      latent.sigma: [0.1, 0.3]\n"
    )
    (project.folder / "params.yaml").write_text(text)
    project.snakemake("all", "--config", "suite=mine")
    return project.folder / "results" / "mine"


def test_the_page_of_a_study_on_own_images(browser, own):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((own / "report.html").as_uri())
    lead = page.locator("header .lead").all_inner_texts()
    assert "trained on mine, 8 x 8 (240 samples)" in lead[0]
    assert page.locator("#published").count() == 0  # nothing is published on these images
    assert "effect-of-latent.sigma" in page.locator("#mine figure a").first.get_attribute("href")
    assert "sigma" in page.locator("#answers figure svg").first.text_content()
    assert page.locator(".strips figcaption").first.inner_text() == "real, held out"
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    broken = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in broken] == []
    page.close()
