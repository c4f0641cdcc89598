"use strict";
/* On which days a test bed has results of a suite: a heat map, the counts of each row, and all days of one row as a table. */
(() => {
  const { el } = bench, $ = (id) => document.getElementById(id), form = $("view"), which = $("which");
  const { first, last, rows } = bench.held.get("availability");
  const shades = 4, longest = 182;  // days that are cells of their own at first
  const svg = "http://www.w3.org/2000/svg", day = (number) => new Date(number * 86400000).toISOString().slice(0, 10);
  const name = (of) => [of[1], of[2], of[0]].filter(Boolean).join(" · ");

  /* The days of a row with their results and failures. */
  function days({ days: stretches, results, failed }) {
    const found = [], of = (counts, i) => (typeof counts === "number" ? counts : counts[i]);
    for (let i = 0; i < stretches.length; i += 2) for (let j = 0; j < stretches[i + 1]; j += 1) {
      found.push({ at: first + stretches[i] + j, results: of(results, found.length), failed: of(failed, found.length) });
    }
    return found;
  }

  const every = rows.map(days);

  /* The first day of the cell of a day: itself, or the Monday of its week. */
  function start(at) { return form.cell.value === "week" ? at - ((at + 3) % 7) : at; }

  function cells(of) {
    const found = new Map();
    for (const one of of) {
      const at = start(one.at), cell = found.get(at) || { at, results: 0, failed: 0 };
      cell.results += one.results;
      cell.failed += one.failed;
      found.set(at, cell);
    }
    return [...found.values()];
  }

  function heat(of) {
    const step = form.cell.value === "week" ? 7 : 1, from = start(first), count = (start(last) - from) / step + 1;
    const found = cells(of), most = Math.max(...found.map((one) => one.results - one.failed));
    const node = document.createElementNS(svg, "svg");
    node.setAttribute("viewBox", `0 0 ${count} 1`);
    node.setAttribute("preserveAspectRatio", "none");
    node.setAttribute("class", "heat");
    node.setAttribute("aria-hidden", "true");
    const paths = new Map();
    for (const one of found) {
      const good = one.results - one.failed, x = (one.at - from) / step;
      const shade = good ? `shade-${Math.floor((good * shades - 1) / most) + 1}` : "failed";
      paths.set(shade, `${paths.get(shade) || ""}M${x} ${good ? 0 : 0.5}h1V1h-1z`);
    }
    for (const [shade, d] of paths) {
      const path = document.createElementNS(svg, "path");
      path.setAttribute("class", shade);
      path.setAttribute("d", d);
      node.append(path);
    }
    node.addEventListener("pointermove", (event) => {
      const box = node.getBoundingClientRect(), at = from + step * Math.min(count - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * count)));
      const one = found.find((cell) => cell.at === at) || { results: 0, failed: 0 };
      $("values").textContent = `${step > 1 ? "Week from " : ""}${day(at)}: ${one.results.toLocaleString("en")} results, ${one.failed.toLocaleString("en")} failed`;
    });
    return node;
  }

  function cell(title, content, kind) { return el("td", { class: kind, "data-name": title }, content); }

  function show() {
    $("rows").replaceChildren(...rows.map(({ of: [dut, bed, suite] }, i) => {
      const address = new URLSearchParams(Object.entries({ bed, suite, dut }).filter(([, text]) => text));
      return el("tr", {}, el("th", { scope: "row", class: "text" }, el("a", { href: `series.html#${address}` }, el("bdi", {}, bed))), cell("Suite", el("bdi", {}, suite), "text"), cell("Device", el("bdi", {}, dut), "text"), el("td", { class: "heat-column" }, heat(every[i])), cell("Days with results", every[i].length.toLocaleString("en"), "num"), cell("Only failed", every[i].filter((one) => one.results === one.failed).length.toLocaleString("en"), "num"), cell("Newest", day(every[i][every[i].length - 1].at), "time"));
    }));
    $("ends").textContent = `${day(first)} to ${day(last)}`;
    list();
    bench.remember({ cell: form.cell.value === usual ? "" : form.cell.value, row: which.row.value === "0" ? "" : rows[which.row.value].of.join("\n") });
  }

  /* The days, or weeks, of the chosen row, newest first. */
  function list() {
    $("cell-head").textContent = form.cell.value === "week" ? "Week from" : "Day";
    $("days").replaceChildren(...cells(every[which.row.value]).reverse().map((one) => el("tr", {}, el("th", { scope: "row" }, day(one.at)), el("td", { class: "num" }, one.results.toLocaleString("en")), el("td", { class: "num" }, one.failed.toLocaleString("en")))));
  }

  const usual = last - first < longest ? "day" : "week", given = bench.state();
  form.cell.value = ["day", "week"].includes(given.get("cell")) ? given.get("cell") : usual;
  which.row.append(...rows.map(({ of }, i) => el("option", { value: i }, name(of))));
  which.row.value = String(Math.max(0, rows.findIndex(({ of }) => of.join("\n") === given.get("row"))));
  bench.unknown([
    ["cell", form.cell.value === given.get("cell") ? "" : given.get("cell")],
    ["row", rows.some(({ of }) => of.join("\n") === given.get("row")) ? "" : given.get("row")],
  ]);
  for (const one of [form, which]) {
    one.addEventListener("input", show);
    one.addEventListener("submit", (event) => event.preventDefault());
  }
  window.addEventListener("hashchange", () => location.reload());
  show();
})();
