"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const element = (id) => document.getElementById(id);
const numbers = read("numbers"), explorer = read("explorer-data");

function make(name, text, attributes = {}) {
  const found = document.createElement(name);
  found.textContent = text ?? "";
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  return found;
}

// --- tables: sort by a click on a column's head, or by Enter; rows of the floor stay last

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", "", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      const lowFirst = column === 0 || head.dataset.direction === "-1"; // the best first
      const up = sorted === "none" ? lowFirst : sorted === "descending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sign = up ? 1 : -1;
      const key = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        if (a.className !== b.className) return a.className === "floor" ? 1 : -1;
        if (column === 0) return sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent, "en", { numeric: true });
        if (key(a) === undefined || key(b) === undefined) return (key(a) === undefined) - (key(b) === undefined);
        return sign * (key(a) - key(b));
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}

// --- where a number comes from. One number a table takes part in the order of TAB; arrows move on.

for (const table of document.querySelectorAll("table")) {
  const buttons = () => [...table.querySelectorAll("button[data-trace]")];
  buttons().forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td"), step = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    }[event.key];
    if (!step || !event.target.dataset.trace) return;
    event.preventDefault();
    const rows = [...table.tBodies[0].rows];
    let row = rows.indexOf(cell.parentNode), column = cell.cellIndex, next = null;
    while (!next) {
      row += step[0];
      column += step[1];
      if (!rows[row] || !rows[row].cells[column]) return;
      next = rows[row].cells[column].querySelector("button[data-trace]");
    }
    for (const button of buttons()) button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-trace]");
    if (button) showTrace(JSON.parse(button.dataset.trace), button.textContent);
  });
}

/** The stored rows behind a number: of a model, and of the one it is compared with. */
function rowsBehind(trace) {
  const source = trace.source || "scores";
  const columns = source === "sweep" ? numbers.sweep_columns : numbers.columns;
  const matching = (model, varied, K) => Object.entries(numbers.cells).filter(([, cell]) =>
    cell.model === model && cell.varied === (varied ?? "") && (!trace.dataset || cell.dataset === trace.dataset)
    && (K === undefined || cell.K === K));
  let cells = matching(trace.model, trace.varied, trace.K ?? (trace.any_K ? undefined : null));
  if (trace.against) {
    const same = matching(trace.against, trace.against_varied, trace.K);
    cells = cells.concat(same.length ? same : matching(trace.against, trace.against_varied));
  }
  const found = [];
  for (const [run, cell] of cells)
    for (const values of numbers[source][run] || []) {
      const row = Object.fromEntries(columns.map((name, i) => [name, values[i]]));
      if (row.metric !== trace.metric) continue;
      if (trace.extractor && row.extractor !== trace.extractor) continue;
      if (trace.n_fake && row.n_fake !== trace.n_fake) continue;
      const file = source === "sweep" ? "sweep" : row.extractor === "clusters" ? "clusters" : "scores";
      found.push({ run, cell, file: cell.files[file], ...row });
    }
  return found;
}

const short = (text) => (text || "").slice(0, 12);

/** The commit, and the stored patch of what was not committed. */
function revisionOf(cell) {
  const [commit, changed] = (cell.revision || "").split("+");
  const patch = cell.changes ? ` (results/changes/${cell.changes}.patch)` : "";
  return short(commit) + (changed ? ` + ${changed}${patch}` : "");
}

/** The option by which Snakemake finds the params file, unless it is the usual one. */
const paramsOption = () => (numbers.params_file === "params.yaml" ? "" : `--config params=${numbers.params_file} -- `);

function showTrace(trace, text) {
  const rows = rowsBehind(trace);
  const dialog = element("trace"), body = element("trace-body");
  element("trace-title").textContent = `${label(trace.metric)}${trace.difference ? ", mean difference" : ""}: ${text}`;
  const columns = {
    s: (row) => row.sigma_scale,
    value: (row) => row.value,
    note: (row) => row.flag,
    signature: (row) => row.signature,
    "generated samples": (row) => row.n_fake,
    "real samples": (row) => row.n_real,
    split: (row) => row.split,
    extractor: (row) => row.extractor,
    "extractor (SHA-256)": (row) => (row.extractor_hash === row.extractor ? null : row.extractor_hash),
    "weights (SHA-256)": (row) => short(row.cell.weights),
    revision: (row) => revisionOf(row.cell),
    "trained on": (row) => row.cell.device,
    status: (row) => row.cell.status,
  };
  // What is the same in every row stands once below the table.
  const table = make("table"), first = table.createTHead().insertRow(), lines = table.createTBody(), common = make("ul");
  const all = Object.entries(columns).map(([name, value]) => [name, new Set(rows.map(value))]);
  const shown = all.filter(([name, values]) => name === "value" || (values.size > 1)).map(([name]) => name);
  for (const [name, [value]] of all)
    if (!shown.includes(name) && value) common.append(make("li", `${name}: ${value}`));
  for (const name of ["run", ...shown]) first.append(make("th", name, { scope: "col" }));
  for (const row of rows) {
    const line = lines.insertRow();
    line.append(make("th", row.run, { scope: "row" }));
    for (const name of shown) line.append(make("td", columns[name](row)));
  }
  const wide = make("div", "", { class: "wide", tabindex: "0", role: "region", "aria-label": "Values behind the number" });
  wide.append(table);
  for (const [name, hash] of new Map(rows.map((row) => [row.cell.dataset, row.cell.data])))
    common.append(make("li", `data of ${name} (SHA-256): ${hash}`));
  const commands = make("ul");
  for (const file of new Set(rows.map((row) => row.file))) {
    const item = make("li");
    item.append(make("code", `snakemake --cores 1 ${paramsOption()}${file}`));
    commands.append(item);
  }
  const commits = new Set(rows.map((row) => (row.cell.revision || "").split("+")[0]).filter(Boolean));
  const patches = new Set(rows.map((row) => row.cell.changes).filter(Boolean));
  const back = [...[...commits].map((commit) => `git checkout ${commit}`),
    ...[...patches].map((name) => `git apply results/changes/${name}.patch`)];
  const exactly = commits.size === 1 && patches.size < 2
    ? ` (exactly the recorded state comes back by ${back.join(" && ")})` : "";
  body.replaceChildren(wide, common, make("p", `Make one of them again with the code and parameters at hand${exactly}:`), commands);
  dialog.showModal();
}

element("trace-close").addEventListener("click", () => element("trace").close());

// --- explorer

const label = (metric) => (numbers.labels[metric] || [metric])[0];
const digits = (metric) => (numbers.labels[metric] || ["", 3])[1];
const PALETTE = numbers.palette;
const decoded = new Map(); // one picture or array per text, kept

function pointsOf(text, extent) {
  if (!decoded.has(text)) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), view = new DataView(bytes.buffer);
    const scale = (numbers.frames * extent) / 32767;
    decoded.set(text, Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) * scale));
  }
  return decoded.get(text);
}

async function pictureOf(address) {
  if (!decoded.has(address)) {
    const image = new Image();
    image.src = address;
    decoded.set(address, image.decode().then(() => image));
  }
  return decoded.get(address);
}

/** Cells [row, column] of a sheet of images, side by side in `columns`, each pixel `scale` wide. */
async function drawImages(canvas, sheet, cells, columns, [height, width], scale) {
  const image = await pictureOf(sheet), h = height * scale, w = width * scale, gap = 2;
  canvas.width = columns * (w + gap) - gap;
  canvas.height = Math.ceil(cells.length / columns) * (h + gap) - gap;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  cells.forEach(([row, column], i) => context.drawImage(image, column * width, row * height, width, height,
    (i % columns) * (w + gap), Math.floor(i / columns) * (h + gap), w, h));
}

/** Points of each group [colour, flat x y x y ...], the wanted last, over the circles of the modes. */
function drawPoints(canvas, plane, groups, lines = []) {
  const size = 720, context = canvas.getContext("2d");
  canvas.width = canvas.height = size;
  canvas.style.width = "360px";
  const x = (value) => (value / plane.extent + 1) * size / 2, y = (value) => (1 - value / plane.extent) * size / 2;
  context.strokeStyle = "#777777";
  for (const [cx, cy] of plane.centres) {
    context.beginPath();
    context.arc(x(cx), y(cy), plane.radius / plane.extent * size / 2, 0, 2 * Math.PI);
    context.stroke();
  }
  context.strokeStyle = "#bbbbbb";
  for (const line of lines) {
    context.beginPath();
    for (const [px, py] of line) context.lineTo(x(px), y(py));
    context.stroke();
  }
  for (const [colour, points] of groups) {
    context.fillStyle = colour;
    for (let i = 0; i < points.length; i += 2) context.fillRect(x(points[i]) - 2, y(points[i + 1]) - 2, 4, 4);
  }
}

const fitting = (wanted, width) => Math.max(1, Math.floor(wanted / width));
const state = () => explorer.runs[element("x-run").value];
const planeOf = (run) => explorer.planes[run.dataset];

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => make("option", text, { value })));
}

/** Called by the script of a run for which the page has no room. */
function explored(name, entry) {
  explorer.runs[name] = entry;
}

/** Load the script of a run, which lies beside the page; false if it is not there. */
function loadRun(file) {
  return new Promise((resolve) => {
    const script = make("script", "", { src: file });
    script.onload = () => resolve(true);
    script.onerror = () => resolve(false);
    document.head.append(script);
  });
}

async function chooseRun() {
  stop();
  const { file } = state();
  const there = !file || await loadRun(file);
  element("x-missing").hidden = there;
  element("x-missing").textContent = there ? "" : `The samples of this run lie in ${file} beside the page, which is not there.`;
  if (!there || state().file) return;
  const run = state(), plane = planeOf(run), groups = run.groups.map((name, i) => [i, name]);
  fill(element("x-group"), [["", "all"], ...groups]);
  element("x-scale").max = plane.scales.length - 1;
  element("x-scale").value = plane.scales.indexOf(1);
  element("x-time").max = run.film_kimg.length - 1;
  element("x-time").value = run.film_kimg.length - 1;
  element("x-walk-part").hidden = !run.pairs;
  if (run.pairs) {
    const walked = groups.slice(0, Math.max(...run.pairs.flat()) + 1);
    fill(element("x-from"), walked);
    fill(element("x-to"), walked);
    element("x-to").value = 1;
    element("x-walk-note").textContent = `The generator's input goes in ${run.walk_shape[1]} equal steps from one to the other`
      + (plane.image ? "; a row keeps its noise." : `, for ${run.walk_shape[0]} draws of noise.`)
      + (walked.length < groups.length ? ` Pairs of the first ${walked.length} only.` : "");
  }
  element("x-near-part").hidden = !run.neighbours;
  await Promise.all([drawSamples(), drawFilm(), drawWalk(), drawNeighbours()]);
}

async function drawSamples() {
  const run = state(), plane = planeOf(run), [, groups, columns] = run.shape;
  const i = Number(element("x-scale").value), scale = plane.scales[i], chosen = element("x-group").value;
  element("x-scale-value").textContent = scale;
  element("x-scale").setAttribute("aria-valuetext", `s = ${scale}`);
  const canvas = element("x-samples"), rows = chosen === "" ? [...Array(groups).keys()] : [Number(chosen)];
  const what = chosen === "" ? "all components" : run.groups[chosen];
  canvas.setAttribute("aria-label", `Samples of ${run.title}, ${what}, sigma_scale ${scale}`);
  showScores(scale);
  if (plane.image) {
    const cells = rows.flatMap((row) => [...Array(columns).keys()].map((column) => [i * groups + row, column]));
    const wanted = rows.length === 1 && groups > 1 ? 64 : 32;
    await drawImages(canvas, run.sweep, cells, wanted === 64 ? 5 : 10, plane.image, fitting(wanted, plane.image[1]));
    return;
  }
  const points = pointsOf(run.sweep, plane.extent), length = 2 * columns;
  const part = (group) => points.subarray((i * groups + group) * length, (i * groups + group + 1) * length);
  const others = [...Array(groups).keys()].filter((group) => !rows.includes(group));
  drawPoints(canvas, plane, [...others.map((group) => ["#cccccc", part(group)]),
    ...rows.map((group) => [PALETTE[group % PALETTE.length], part(group)])]);
}

function showScores(scale) {
  const list = element("x-scores"), at = Object.fromEntries(numbers.sweep_columns.map((name, i) => [name, i]));
  list.replaceChildren();
  const main = (row) => (["quality", "diversity"].includes(row[at.metric]) ? "main" : "");
  const rows = (numbers.sweep[element("x-run").value] || []).filter((row) => row[at.sigma_scale] === scale && row[at.value] !== null);
  const several = new Set(rows.map((row) => row[at.extractor])).size > 1;
  for (const row of [...rows.filter(main), ...rows.filter((row) => !main(row))]) {
    const metric = row[at.metric], value = row[at.value];
    const name = label(metric) + (several ? ` (${row[at.extractor]})` : "");
    const cell = make("dd", value.toFixed(digits(metric)), { class: main(row), "data-metric": metric });
    cell.dataset.number = value;
    list.append(make("dt", name, { class: main(row) }), cell);
  }
}

async function drawFilm() {
  const run = state(), plane = planeOf(run), i = Number(element("x-time").value), kimg = run.film_kimg[i];
  element("x-time-value").textContent = kimg;
  element("x-time").setAttribute("aria-valuetext", `${kimg} kimg`);
  const canvas = element("x-film"), count = run.film_columns;
  canvas.setAttribute("aria-label", `Samples of ${run.title} after ${kimg} kimg of training`);
  if (plane.image) {
    const cells = [...Array(count).keys()].map((column) => [i, column]);
    await drawImages(canvas, run.film, cells, 10, plane.image, fitting(32, plane.image[1]));
    return;
  }
  drawPoints(canvas, plane, [[PALETTE[0], pointsOf(run.film, plane.extent).subarray(2 * i * count, 2 * (i + 1) * count)]]);
}

async function drawWalk() {
  const run = state(), plane = planeOf(run), canvas = element("x-walk");
  if (!run.pairs) return;
  const from = Number(element("x-from").value), to = Number(element("x-to").value), [rows, steps] = run.walk_shape;
  const low = Math.min(from, to), high = Math.max(from, to);
  canvas.setAttribute("aria-label", `Samples of ${run.title} on the way from ${run.groups[from]} to ${run.groups[to]}`);
  // A walk from a component to itself stays at the start of any walk from it.
  const other = low === high ? (low ? 0 : 1) : high;
  const pair = run.pairs.findIndex(([a, b]) => a === Math.min(low, other) && b === Math.max(low, other));
  const stepOf = (step) => (low === high ? (low < other ? 0 : steps - 1) : from < to ? step : steps - 1 - step);
  if (plane.image) {
    const cells = [...Array(rows * steps).keys()].map((i) => [pair * rows + Math.floor(i / steps), stepOf(i % steps)]);
    await drawImages(canvas, run.walks, cells, steps, plane.image, fitting(48, plane.image[1]));
    return;
  }
  const points = pointsOf(run.walks, plane.extent), start = 2 * pair * rows * steps;
  const lines = [...Array(rows).keys()].map((row) => [...Array(steps).keys()].map((step) => {
    const at = start + 2 * (row * steps + stepOf(step));
    return [points[at], points[at + 1]];
  }));
  const ends = [[PALETTE[from % PALETTE.length], 0], [PALETTE[to % PALETTE.length], steps - 1]];
  const between = ["#444444", lines.flatMap((line) => line.slice(1, -1)).flat()];
  drawPoints(canvas, plane, [between, ...ends.map(([colour, step]) => [colour, lines.flatMap((line) => line[step])])], lines);
}

async function drawNeighbours() {
  const run = state(), plane = planeOf(run);
  if (!run.neighbours) return;
  const found = run.memorisation;
  element("x-near-note").textContent = "Left: generated; then the nearest of all training images, by the root mean square "
    + "difference of their pixels in grey levels of 255. Median to the nearest: "
    + `${found.generated.toFixed(1)} for ${found.n_generated} generated images, ${found.held_out.toFixed(1)} for ${found.n_held_out} `
    + "held-out real ones. Far below the held-out images means copies of training images.";
  const figures = run.neighbour_distance.map((distances, row) => {
    const figure = make("figure"), canvas = make("canvas", "", { role: "img" });
    canvas.setAttribute("aria-label", `Generated image ${row} and its ${distances.length} nearest training images`);
    figure.append(canvas, make("figcaption", `differences ${distances.map((d) => d.toFixed(1)).join(", ")}`));
    const cells = [...Array(distances.length + 1).keys()].map((column) => [row, column]);
    return [figure, drawImages(canvas, run.neighbours, cells, cells.length, plane.image, fitting(40, plane.image[1]))];
  });
  await Promise.all(figures.map(([, drawn]) => drawn));
  element("x-near").replaceChildren(...figures.map(([figure]) => figure));
}

let playing = null;

function stop() {
  clearInterval(playing);
  playing = null;
  element("x-play").textContent = "Play";
}

element("x-play").addEventListener("click", () => {
  if (playing) return stop();
  const time = element("x-time");
  if (time.value === time.max) time.value = 0;
  element("x-play").textContent = "Stop";
  drawFilm();
  playing = setInterval(() => {
    time.value = Number(time.value) + 1;
    drawFilm();
    if (time.value === time.max) stop();
  }, 300);
});

if (Object.keys(explorer.runs).length) {
  element("x-run").addEventListener("change", chooseRun);
  element("x-group").addEventListener("change", drawSamples);
  element("x-scale").addEventListener("input", drawSamples);
  element("x-time").addEventListener("input", () => { stop(); drawFilm(); });
  for (const id of ["x-from", "x-to"]) element(id).addEventListener("change", drawWalk);
  const mixture = Object.entries(explorer.runs).find(([, run]) => (run.groups[0] || "").startsWith("component"));
  if (mixture) element("x-run").value = mixture[0];
  chooseRun();
} else {
  element("explorer").hidden = true;
}
