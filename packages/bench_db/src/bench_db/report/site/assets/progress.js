"use strict";
/* The CSV files of a run: a chart and a row of a table for each column of numbers; or the reason why a file is not drawn, and how to get it. */
(() => {
  const { el, quantity } = bench, $ = (id) => document.getElementById(id), form = $("view");
  const { runs } = bench.held.get("progress");
  const number = (value) => (value === null ? "–" : quantity.text(value, ""));
  const doubles = (text) => Array.from(new Float64Array(bench.data.bytes(text)), (value) => (Number.isNaN(value) ? null : value));
  let plots = [], turns = 0;

  function options(select, texts, wanted) {
    select.replaceChildren(...texts.map((text, i) => el("option", { value: i }, text)));
    select.value = String(Math.max(0, wanted));
  }

  function chosenRun(wanted) {
    const { files } = runs[form.run.value];
    options(form.file, files.map(({ name }) => name), files.findIndex(({ sha }) => sha === wanted));
    show();
  }

  async function show() {
    const turn = turns += 1, run = runs[form.run.value], file = run.files[form.file.value];
    bench.remember({ run: run.key, file: form.file.value === "0" ? "" : file.sha });
    $("facts").replaceChildren(...[["Commit", bench.data.commitLink(run.commit)], ["Test bed", el("bdi", {}, run.bed)], ["Device", el("bdi", {}, run.dut)], ["Measured", `${quantity.moment(run.time)} UTC`], ["File", el("code", {}, `bench-db artifact get ${file.sha} progress.csv`)]].map(([title, text]) => el("span", {}, `${title}: `, text)));
    let found;
    try { found = await bench.data.load(file.path); } catch (error) { $("status").textContent = error.message; return; }
    if (turn !== turns) return;
    plots.forEach((plot) => plot.destroy());
    plots = [];
    $("parts").replaceChildren();
    if (found.reason) { $("status").replaceChildren("Not drawn: ", el("bdi", {}, found.reason), ". The command below gets the file."); return; }
    $("status").textContent = [
      `${found.parts.reduce((sum, { rows }) => sum + rows, 0).toLocaleString("en")} rows.`,
      found.left_out.length ? `Columns that are not drawn: ${found.left_out.join(", ")}.` : "",
      found.parts_left ? `${found.parts_left.toLocaleString("en")} more benchmarks are not drawn.` : "",
    ].filter(Boolean).join(" ");
    found.parts.forEach(part);
  }

  function part(one) {
    const across = doubles(one.across), charts = el("div", { class: "progress" }), title = one.name || form.file.selectedOptions[0].text;
    const row = ({ name, ends }) => el("tr", {}, el("th", { scope: "row", class: "text" }, el("bdi", {}, name)), [0, 1, 2, 3].map((i) => el("td", { class: "num" }, number(ends ? ends[i] : null))));
    $("parts").append(el("h2", {}, el("bdi", {}, title)), charts, el("div", { class: "sheet", tabindex: "0", role: "region", "aria-label": `Columns of ${title}` }, el("table", { class: "figures" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Column"), ["First", "Lowest", "Highest", "Last"].map((text) => el("th", { scope: "col", class: "num" }, text)))),
      el("tbody", {}, one.columns.map(row)))));
    for (const { name, values } of one.columns) {
      const box = el("div", { class: "chart", role: "img", "aria-label": `${name} over ${one.time || "the number of the row"}; the table has its ends` });
      charts.append(el("section", { class: "panel" }, el("p", { class: "small" }, el("bdi", {}, name)), box));
      plots.push(draw(box, across, name, doubles(values), one.time || "row"));
    }
  }

  function draw(box, across, name, values, named) {
    return bench.lines.chart(box, across, [{ name, on: true, values }], {
      shown: bench.plot.format("units", "", false), ticks: (places) => quantity.ticks(places, ""), named, onSelect: () => {}, tall: 180,
    });
  }

  const given = bench.state(), described = ({ commit, bed, dut, time }) => [quantity.date(time), commit.slice(0, 9) || "no commit", bed, dut].join(" · ");
  options(form.run, runs.map(described), runs.findIndex(({ key }) => key === given.get("run")));
  form.run.addEventListener("change", () => chosenRun(""));
  form.file.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => location.reload());
  window.addEventListener("resize", () => plots.forEach((plot) => plot.fit()));
  bench.onTheme(show);
  const [run, file] = ["run", "file"].map((name) => given.get(name)), here = runs.find(({ key }) => key === run);
  bench.unknown([["run", here ? "" : run], ["file", (here || runs[0]).files.some(({ sha }) => sha === file) ? "" : file]]);
  chosenRun(file);
})();
