"use strict";
/* A list of all series, narrowed by words and choices, sorted by any column; a page adds columns of its own, and kinds to choose. */
bench.index = ({ name, own, kinds, first }) => {
  const { el } = bench;
  const all = bench.held.get("catalogue");
  const facet = (column, i) => all.facets[column][all[column][i]];
  const where = (i) => (all.where && facet("where", i)) || facet("bed", i);
  const texts = all.label.map((label, i) => `${label} ${facet("bed", i)} ${facet("dut", i)}`.toLowerCase());
  const form = document.getElementById("filter");
  const chosenBy = ["bed", "dut", "suite", "metric"];
  const everything = all.key.map((_, i) => i);
  const given = bench.state();
  // the catalogue is in the order of names
  const columns = [
    { key: "name", title: "Benchmark", sort: (i) => i, cell: (i) => el("a", { href: `benchmark.html#s=${all.key[i]}`, title: all.label[i].slice(0, 500) }, el("bdi", {}, all.name[i] || all.label[i])) },
    { key: "bed", title: "Test bed", class: "quiet", sort: where, cell: (i) => el("bdi", {}, where(i)) },
    ...own,
  ];
  const isName = (key) => key === "name" || key === "bed";
  let order = given.get("sort") ? { key: given.get("sort"), descending: given.get("down") === "1" } : first;

  const grid = bench.grid(document.getElementById("grid"), { name, columns, sorted: order, onSort: (key) => {
    order = { key, descending: order.key === key ? !order.descending : !isName(key) };
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

  function show() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const exact = chosenBy.filter((name) => form[name].value).map((name) => [all[name], Number(form[name].value)]);
    const kind = kinds[form.kind.value] || kinds.all;
    const chosen = everything.filter((i) => kind(i) && exact.every(([column, place]) => column[i] === place) && words.every((word) => texts[i].includes(word)));
    const column = columns.find(({ key, sort }) => key === order.key && sort);
    if (column) chosen.sort(by(column.sort, order.descending ? -1 : 1));
    grid.show(chosen);
    document.getElementById("status").textContent = `${chosen.length.toLocaleString("en")} of ${everything.length.toLocaleString("en")} series`;
    const named = Object.fromEntries(chosenBy.map((name) => [name, form[name].value && all.facets[name][form[name].value]]));
    bench.remember({ q: form.q.value, ...named, kind: form.kind.value === "all" ? "" : form.kind.value, sort: order.key === first.key && order.descending === first.descending ? "" : order.key, down: order.descending ? "1" : "" });
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

  chosenBy.forEach(choices);
  form.q.value = given.get("q") || "";
  if (kinds[given.get("kind")]) form.kind.value = given.get("kind");
  form.addEventListener("submit", (event) => { event.preventDefault(); grid.focus(); });
  form.addEventListener("input", show);
  form.q.addEventListener("keydown", (event) => { if (event.key === "ArrowDown") { event.preventDefault(); grid.focus(); } });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, select")) { event.preventDefault(); form.q.focus(); }
  });
  window.addEventListener("hashchange", () => location.reload());  // a link on the page to a choice of its own
  const isHere = { kind: (value) => Object.hasOwn(kinds, value), sort: (value) => columns.some(({ key, sort }) => key === value && sort) };
  const among = (name, value) => (isHere[name] ? isHere[name](value) : all.facets[name].includes(value));
  bench.unknown([...chosenBy, "kind", "sort"].map((name) => [name, given.get(name)]).filter(([name, value]) => value && !among(name, value)));
  show();
};
