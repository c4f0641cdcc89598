"use strict";
/* How a benchmark scales: its values over the numbers of one of its parameters, a line a test bed or a value of another parameter. */
bench.scaling = (() => {
  const { el, quantity } = bench, form = document.getElementById("over"), $ = (id) => document.getElementById(id);
  let listener = () => {}, known = null, plot = null, turns = 0, left = 0, table = null;

  function numeric(family) { return family.dimensions.filter((one) => one.numeric && one.name.startsWith("tag:") && one.count > 1); }

  function show(all, family, here, series) {
    const over = numeric(family);
    $("scaling").hidden = !over.length;
    known = over.length ? { all, family, here, series } : null;
    if (!known) return;
    const given = bench.state();
    options(form.over, over.map(({ name, title }) => [name.slice(4), title]), given.get("over"));
    const commits = [...new Set(series.commit)].filter(Boolean).reverse();
    options(form.at, [["", "the newest results"], ...commits.map((commit) => [commit, `${commit.slice(0, quantity.rule("sha_length"))} · ${quantity.date(series.time[series.commit.indexOf(commit)])}`])], given.get("at"));
    form.even.checked = given.get("even") === "1";
    perOptions(given.get("per"));
    draw();
  }

  function options(select, pairs, wanted) {
    select.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
    if (pairs.some(([value]) => value === wanted)) select.value = wanted;
  }

  function perOptions(wanted) {
    const rest = known.family.dimensions.filter(({ name }) => name !== `tag:${form.over.value}`);
    options(form.per, [...rest.map(({ name, title, count }) => [name, `${title} (${count})`]), ["none", "none"]], wanted);
  }

  /* The members of each line, in the order of its numbers. */
  function lines() {
    const { family } = known, over = `tag:${form.over.value}`, per = form.per.value === "none" ? "" : form.per.value;
    const found = bench.family.along(family.mine, family.members, ...(per ? [per, over] : [over]));
    const groups = Map.groupBy(found, (one) => (per ? bench.family.value(one, per) : bench.family.value(one, "bed")));
    left = Math.max(0, groups.size - bench.lines.listed);
    return [...groups].slice(0, bench.lines.listed).map(([name, members], i) => ({ name, on: i < bench.lines.most, members: new Map(members.map((one) => [bench.family.number(bench.family.value(one, over)), one.place])) }));
  }

  async function value(place) {
    const { all } = known, commit = form.at.value;
    if (!commit) return all.failing[place] ? null : all.latest[place];
    const series = bench.data.series(await bench.data.shard(all.files[all.file[place]]), all.key[place]);
    return bench.draw.median(series.median.filter((median, i) => series.commit[i] === commit));
  }

  async function draw() {
    const turn = turns += 1, found = lines();
    const across = [...new Set(found.flatMap((line) => [...line.members.keys()]))].sort((a, b) => a - b);
    const values = await Promise.all(found.map((line) => Promise.all(across.map((x) => (line.members.has(x) ? value(line.members.get(x)) : null)))));
    if (turn !== turns) return;
    const { all, here } = known, units = all.facets.units[all.units[here]];
    const numbers = values.flat().filter((number) => number !== null);
    const log = !form.even.checked && numbers.every((number) => number > 0), logAcross = !form.even.checked && across[0] > 0;
    const shown = bench.plot.format("units", units, log);
    $("over-title").textContent = form.over.value;
    table = { found: found.map((line, i) => ({ ...line, values: values[i] })), across, units };
    plot?.destroy();
    plot = bench.lines.chart($("scale-plot"), across, table.found, {
      shown, log, logAcross, points: true, named: form.over.value, ticks: (places) => places.map(plain), onSelect: () => {}, tall: bench.plot.tall(340, 0.36),
    });
    bench.lines.legend($("scale-legend"), table.found, { left, onToggle: (line) => plot.toggle(line) })(table.found.map((line) => growth(across, line.values)));
    fill();
  }

  function plain(number) { return Math.abs(number) >= 1e6 || (number && Math.abs(number) < 1e-3) ? number.toExponential().replace(/\.?0*e\+?/, "e") : number.toLocaleString("en"); }

  /* From the smallest to the largest number: by what factor the value grows, and which power of the number that is. */
  function growth(across, values) {
    const ends = across.map((x, i) => [x, values[i]]).filter(([, y]) => y !== null);
    if (ends.length < 2) return "";
    const [[x, y], [last, end]] = [ends[0], ends[ends.length - 1]];
    if (!(y > 0 && end > 0)) return "";
    const times = Number((end / y).toPrecision(3)), power = x > 0 ? Math.log(end / y) / Math.log(last / x) : null;
    return `${times.toLocaleString("en")}× from ${plain(x)} to ${plain(last)}${power === null ? "" : `, as ${form.over.value} to the power ${power.toFixed(2).replace("-", "−")}`}`;
  }

  function fill() {
    const { found, across, units } = table, { all } = known;
    $("scale-head").replaceChildren(el("th", { scope: "col", class: "num" }, form.over.value), ...found.map((line, i) => el("th", { scope: "col", class: "num" }, `${i + 1} `, el("bdi", {}, line.name))));
    $("scale-rows").replaceChildren(...across.map((x, row) => el("tr", {}, el("th", { scope: "row", class: "num" }, plain(x)), ...found.map((line) => {
      const place = line.members.get(x), text = quantity.text(line.values[row], units);
      return el("td", { class: "num" }, place === undefined ? "–" : place === known.here ? el("strong", {}, text) : el("a", { href: `#s=${all.key[place]}` }, text));
    }))));
  }

  /* What the address keeps of the choices; nothing for those that are made at first. */
  show.state = () => {
    const first = (select) => (select.value === select.options[0]?.value ? "" : select.value);
    return known ? { over: first(form.over), per: first(form.per), at: form.at.value, even: form.even.checked ? "1" : "" } : {};
  };
  show.onChange = (told) => { listener = told; };
  show.again = () => { if (known) draw(); };
  form.addEventListener("input", (event) => {
    if (event.target === form.over) perOptions(form.per.value);
    draw();
    listener();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  new ResizeObserver(() => plot?.fit()).observe($("scale-plot"));
  return show;
})();
