// --- tables: filter by model, copy; words explained where the pointer rests; print opens all folds

/** The rows that are shown, as lists of texts without arrows. */
function shownRows(table) {
  const text = (cell) => cell.textContent.replace(/[\u2191\u2193\u2195]/g, "").replace(/\s+/g, " ").trim();
  return [...table.rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(text));
}

/** A table as csv, markdown or latex (booktabs). */
function tableText(table, kind) {
  const [head, ...body] = shownRows(table);
  if (kind === "csv") {
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return [head, ...body].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  }
  if (kind === "markdown") {
    const line = (row) => `| ${row.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |\n`;
    return line(head) + line(head.map((_, i) => (i ? "---:" : "---"))) + body.map(line).join("");
  }
  const special = { "\\": "\\textbackslash{}", "±": "$\\pm$", "–": "--", "~": "\\~{}" };
  const tex = (text) => text.replace(/[\\±–~]/g, (c) => special[c]).replace(/(?<!\$|\\)[&%#_]/g, "\\$&");
  const line = (row) => `${row.map(tex).join(" & ")} \\\\\n`;
  return `\\begin{tabular}{l${"r".repeat(head.length - 1)}}\n\\toprule\n${line(head)}\\midrule\n${body.map(line).join("")}`
    + "\\bottomrule\n\\end{tabular}\n";
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed on this page: the older way
    const area = make("textarea", "", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  const bar = make("div", "", { class: "controls tools no-print" });
  if (table.tBodies[0].rows.length > 4) {
    const label = make("label", "show models with ");
    const filter = make("input", "", { type: "search" });
    filter.addEventListener("input", () => {
      for (const row of table.tBodies[0].rows)
        row.hidden = !row.cells[0].textContent.toLowerCase().includes(filter.value.toLowerCase());
    });
    label.append(filter);
    bar.append(label);
  }
  const copy = make("span", "copy as ");
  for (const [kind, name] of [["csv", "CSV"], ["markdown", "Markdown"], ["latex", "LaTeX"]]) {
    const button = make("button", name, { type: "button" });
    button.addEventListener("click", async () => {
      await copyText(tableText(table, kind));
      button.textContent = "copied";
      setTimeout(() => { button.textContent = name; }, 1500);
    });
    copy.append(button);
  }
  bar.append(copy);
  table.closest(".wide").after(bar);
}

const words = new Map([...document.querySelectorAll(".glossary dt")].map((term) =>
  [term.textContent, term.nextElementSibling.textContent]));
const anyWord = new RegExp([...words.keys()].sort((a, b) => b.length - a.length).map((word) => {
  const escaped = word.replace(/[[\]().]/g, "\\$&");
  return /^\w.*\w$/.test(word) ? `\\b${escaped}\\b` : escaped;
}).join("|"));

const explained = new Map();
for (const block of document.querySelectorAll("main p, main caption, main summary, main figcaption, main td, main th")) {
  if (block.closest("#glossary, #runs, #provenance")) continue;
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT), texts = [];
  while (walker.nextNode()) if (!walker.currentNode.parentNode.closest("code, a, abbr, button[data-trace]")) texts.push(walker.currentNode);
  const section = block.closest("section, header");
  for (const text of texts) { // each word once in a section
    const found = anyWord.exec(text.data), known = explained.get(section) || new Set();
    if (!found || known.has(found[0])) continue;
    explained.set(section, known.add(found[0]));
    const rest = text.splitText(found.index);
    rest.splitText(found[0].length);
    rest.replaceWith(make("abbr", found[0], { title: words.get(found[0]) }));
  }
}

addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
});

// A link to what is folded opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target && target.closest("details"); fold; fold = fold.parentNode.closest("details")) fold.open = true;
}
addEventListener("hashchange", unfold);
unfold();
