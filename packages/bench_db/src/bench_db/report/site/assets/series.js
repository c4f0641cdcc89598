"use strict";
/* The index of all series: narrowed by words and choices, sorted by any column. */
(() => {
  const { el, quantity } = bench;
  const all = bench.held.get("catalogue");
  const form = document.getElementById("filter");
  const noisy = all.noise.some(Boolean);
  const { later, earlier } = bench.data.relatives(all);
  const facet = (name, i) => all.facets[name][all[name][i]];
  const texts = all.label.map((label, i) => `${label} ${facet("bed", i)} ${facet("dut", i)}`.toLowerCase());
  const everything = all.key.map((_, i) => i);
  const given = bench.state();
  let order = { key: given.get("sort") || "name", descending: given.get("down") === "1" };

  function flags(i) {
    return el("span", { class: "flags" },
      all.worse[i] > 0 && el("span", { class: "badge worse" }, `${all.worse[i]} worse`),
      all.better[i] > 0 && el("span", { class: "badge better" }, `${all.better[i]} better`),
      all.failing[i] ? el("span", { class: "badge warn" }, "failing") : null,
      all.stale[i] ? el("span", { class: "badge warn", title: "Not measured at the newest commits of its suite" }, "stale") : null,
      relative(later.get(i)), relative(earlier.get(i)));
  }

  function relative(found) {
    return found ? el("span", { class: "badge", title: found[1].slice(0, 500) }, found[1].startsWith("renamed") ? "renamed?" : found[1].split(" from ")[0]) : null;
  }

  const columns = [
    { key: "name", title: "Benchmark", sort: (i) => texts[i], cell: (i) => el("a", { href: `benchmark.html#s=${all.key[i]}`, title: all.label[i].slice(0, 500) }, el("bdi", {}, all.label[i].slice(0, 300))) },
    { key: "bed", title: "Test bed", class: "quiet wide", sort: (i) => facet("bed", i), cell: (i) => el("bdi", {}, facet("bed", i)) },
    { key: "trend", title: "History", class: "wide", cell: () => el("canvas", { "aria-hidden": "true" }), drawn: (cell, i) => bench.draw.spark(cell.firstChild, all.spark[i]) },
    { key: "latest", title: "Latest", class: "num", sort: (i) => all.latest[i], cell: (i) => (all.failing[i] ? "failed" : quantity.text(all.latest[i], facet("units", i))) },
    { key: "change", title: "Change", class: "num", sort: (i) => all.change[i], cell: (i) => el("span", all.few[i] ? { class: "quiet", title: "Too few runs for a verdict" } : { class: quantity.kind(all.change[i], facet("direction", i), all.noise[i]) }, quantity.percent(all.change[i])) },
    noisy && { key: "noise", title: "Spread", class: "num quiet wide", sort: (i) => all.noise[i]?.[0], cell: (i) => quantity.share(all.noise[i]?.[0]) },
    { key: "standing", title: "Standing", class: "wide", sort: (i) => all.worse[i] * 1e6 + all.better[i] * 1e3 + all.failing[i] * 2 + all.stale[i], cell: flags },
  ].filter(Boolean);

  const box = document.getElementById("grid");
  box.classList.toggle("noisy", noisy);
  const grid = bench.grid(box, { name: "All series", columns, sorted: order, onSort: (key) => {
    order = { key, descending: order.key === key ? !order.descending : key !== "name" && key !== "bed" };
    grid.mark(key, order.descending);
    show();
  } });

  function choices(name) {
    const select = form[name];
    if (all.facets[name].length < 2) { select.hidden = true; return; }
    all.facets[name].forEach((text, i) => select.append(el("option", { value: i }, text.slice(0, 80) || "none")));
    const place = all.facets[name].indexOf(given.get(name));
    if (place >= 0) select.value = String(place);
  }

  const kinds = { all: () => true, worse: (i) => all.worse[i] > 0, better: (i) => all.better[i] > 0, failing: (i) => all.failing[i], stale: (i) => all.stale[i] };

  function show() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const exact = ["bed", "suite", "metric"].filter((name) => form[name].value).map((name) => [all[name], Number(form[name].value)]);
    const kind = kinds[form.kind.value] || kinds.all;
    const chosen = everything.filter((i) => kind(i) && exact.every(([column, place]) => column[i] === place) && words.every((word) => texts[i].includes(word)));
    const column = columns.find(({ key, sort }) => key === order.key && sort);
    if (column) chosen.sort(by(column.sort, order.descending ? -1 : 1));
    grid.show(chosen);
    document.getElementById("status").textContent = `${chosen.length.toLocaleString("en")} of ${everything.length.toLocaleString("en")} series`;
    const named = Object.fromEntries(["bed", "suite", "metric"].map((name) => [name, form[name].value && all.facets[name][form[name].value]]));
    bench.remember({ q: form.q.value, ...named, kind: form.kind.value === "all" ? "" : form.kind.value, sort: order.key === "name" ? "" : order.key, down: order.descending ? "1" : "" });
  }

  /* By a column, what has no value last whichever way. */
  function by(value, way) {
    const missing = (v) => v === null || v === undefined;
    return (a, b) => {
      const x = value(a), y = value(b);
      if (missing(x) || missing(y)) return missing(x) - missing(y);
      return x < y ? -way : x > y ? way : a - b;
    };
  }

  ["bed", "suite", "metric"].forEach(choices);
  form.q.value = given.get("q") || "";
  if (kinds[given.get("kind")]) form.kind.value = given.get("kind");
  form.addEventListener("submit", (event) => { event.preventDefault(); grid.focus(); });
  form.addEventListener("input", show);
  form.q.addEventListener("keydown", (event) => { if (event.key === "ArrowDown") { event.preventDefault(); grid.focus(); } });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, select")) { event.preventDefault(); form.q.focus(); }
  });
  show();
})();
