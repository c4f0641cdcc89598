"use strict";
/* Two commits of one device, test bed and suite: every series at both, largest change first. */
(() => {
  const { el, quantity } = bench;
  const { groups, builds, parts, sizes } = bench.held.get("commits");
  const form = document.getElementById("pick");
  const status = document.getElementById("status");
  const facet = (name, i) => all.facets[name][all[name][i]];
  let all = null, relatives = null, rows = [], order = { key: "change", descending: true }, asked = 0, refused = "";

  const columns = [
    { key: "name", title: "Benchmark", sort: (row) => row.label, cell: (row) => [el("a", { href: `benchmark.html#s=${row.key}&p=${row.place}`, title: row.label.slice(0, 500) }, el("bdi", {}, row.name || row.label)), row.hint && el("span", { class: "quiet small", title: row.hint.slice(0, 500) }, " ", el("bdi", {}, row.hint.slice(0, 300)))] },
    { key: "before", title: "Before", class: "num", cell: (row) => quantity.text(row.before, row.units) },
    { key: "after", title: "After", class: "num", cell: (row) => quantity.text(row.after, row.units) },
    { key: "change", title: "Change", class: "num", sort: (row) => (row.note ? quantity.rule("minimum_effect") : Math.abs(row.change)), cell: (row) => el("span", { class: row.kind, title: row.note === "insufficient" ? `${quantity.percent(row.change)}, of too few runs` : row.error || row.least }, row.note || quantity.verdict(row.change, row.kind)) },
    { key: "size", title: el("span", { class: "visually-hidden" }, "Size of the change"), class: "wide", cell: bar },
    { key: "noise", title: "Spread", class: "num quiet wide", sort: (row) => row.spread, cell: (row) => quantity.share(row.spread) },
  ];
  const grid = bench.grid(document.getElementById("grid"), { name: "Series at both commits", columns, sorted: order, onSort: (key) => {
    order = { key, descending: order.key === key ? !order.descending : key !== "name" };
    grid.mark(key, order.descending);
    show();
  } });

  function bar(row) {
    const length = Math.min(50, Math.abs(row.change || 0) * 200);
    const piece = el("i", { class: row.kind });
    piece.style.width = `${length}%`;
    piece.style.left = `${row.change > 0 ? 50 : 50 - length}%`;
    return el("span", { class: "delta", "aria-hidden": "true" }, piece);
  }

  /* Offers choices. Without a wanted one none is made, and the first line asks for it. */
  function options(select, choices, wanted) {
    const asking = wanted === null ? [el("option", { value: "" }, "choose …")] : [];
    select.replaceChildren(...asking, ...choices.map(([value, text]) => el("option", { value }, text)));
    select.value = String(wanted ?? "");
  }

  function describe([commit, version, time]) { return `${quantity.date(time)} · ${commit.slice(0, quantity.rule("sha_length")) || "no commit"} · ${version.slice(0, 60)}`; }

  function buildsOf(group) { return builds.map((build, i) => [build, i]).filter(([build]) => build[3].includes(group)); }

  /* The place of the build of the commit that an address names in a group: null, and the reason, where it is not one. */
  function named(text, group) {
    const held = buildsOf(group), commits = bench.data.commitsNamed(held.map(([build]) => build[0]), text);
    if (commits.length === 1) return [held.find(([build]) => build[0] === commits[0])[1], ""];
    const shown = text.slice(0, 80);
    return [null, commits.length ? `${commits.length.toLocaleString("en")} commits begin with ${shown}.` : `No commit ${shown} has results here.`];
  }

  function chooseGroup(given) {
    const group = Number(form.group.value), held = buildsOf(group), choices = held.map(([build, i]) => [i, describe(build)]);
    const of = (name) => (given.get(name) || "").trim(), newest = held[0]?.[1] ?? null;
    const [after, noAfter] = of("b") ? named(of("b"), group) : [newest, ""];
    const older = held[held.findIndex(([, i]) => i === after) + 1]?.[1] ?? after;
    const [before, noBefore] = of("a") ? named(of("a"), group) : [older, ""];
    options(form.a, choices, before);
    options(form.b, choices, after);
    refused = [noBefore, noAfter].filter(Boolean).join(" ");
    compare();
  }

  /* Says what is to be chosen, in place of a comparison that nobody asked for. */
  function refuse() {
    const open = [["before", form.a], ["after", form.b]].filter(([, select]) => !builds[select.value]).map(([name]) => name);
    status.textContent = builds.length ? [refused, form.group.value ? `Choose a commit ${open.join(" and ")}.` : "Choose what is compared."].filter(Boolean).join(" ") : "Nothing has been measured yet.";
    rows = [];
    grid.show(rows);
    document.getElementById("links").replaceChildren();
    document.getElementById("command").textContent = "bench-db compare AFTER --baseline BEFORE";
  }

  async function compare() {
    const turn = asked += 1;
    const a = builds[form.a.value], b = builds[form.b.value];
    if (!a || !b) { refuse(); return; }
    refused = "";
    keep();
    ask(a, b);
    try {
      const part = await bench.data.load(parts[form.group.value]);
      if (turn !== asked) return;
      status.textContent = `Reading ${part.files.length} files …`;
      const shards = await Promise.all(part.files.map(bench.data.shard));
      if (turn !== asked) return;
      [all, relatives] = [part, bench.data.relatives(part)];
      rows = all.key.map((_, i) => row(i, shards[all.file[i]], a, b)).filter(Boolean);
    } catch (error) { status.textContent = error.message; return; }
    show();
  }

  /* The command that tests every series. */
  function ask(a, b) {
    const name = ([commit, version]) => (commit ? commit.slice(0, quantity.rule("sha_length")) : `version:${version}`).replace(/^.*[^\w.:+-].*$/s, (text) => `'${text.replaceAll("'", "'\\''")}'`);
    document.getElementById("command").textContent = `bench-db compare ${name(b)} --baseline ${name(a)}`;
    const page = (text, [commit]) => commit && el("a", { href: `commit.html#${new URLSearchParams({ commit })}` }, text, " ", el("span", { class: "sha" }, commit.slice(0, quantity.rule("sha_length"))));
    const pattern = bench.held.get("settings").differenceUrl, isKnown = pattern.startsWith("https://") && a[0] && b[0] && a[0] !== b[0];
    const difference = isKnown && el("a", { href: pattern.replace("{before}", encodeURIComponent(a[0])).replace("{commit}", encodeURIComponent(b[0])), rel: "noreferrer" }, "diff");
    const links = [page("before:", a), page("after:", b), difference].filter(Boolean);
    document.getElementById("links").replaceChildren(...links.flatMap((one, i) => (i ? [" · ", one] : [one])));
  }

  function keep() {
    const [dut, bed, suite] = groups[form.group.value];
    bench.remember({ dut, bed, suite, a: builds[form.a.value][0], b: builds[form.b.value][0], q: form.q.value });
  }

  function row(i, shard, a, b) {
    const series = bench.data.series(shard, all.key[i]);
    const at = (build) => series.commit.map((_, place) => place).filter((place) => series.commit[place] === build[0] && series.version[place] === build[1] && series.time[place] === build[2]);
    const [first, second] = [at(a), at(b)];
    if (!first.length && !second.length) return null;
    const [before, after] = [first, second].map((places) => bench.draw.median(places.map((place) => series.median[place])));
    const change = before && after !== null ? (after - before) / Math.abs(before) : null;
    const noise = all.noise[i], error = second.concat(first).map((place) => series.errors[place]).find(Boolean) || "";
    const few = before !== null && after !== null && runsUpTo(series, first) < quantity.rule("baseline_runs");
    const counts = !all.threshold[i] || quantity.kind(change, facet("direction", i), null, all.threshold[i], before) !== "quiet";
    const kind = few || !counts || !first.length || !second.length ? "quiet" : between(series, Math.max(...first), Math.max(...second), change, facet("direction", i));
    const gone = (places) => (places.length ? "failed" : "");
    const without = few ? "insufficient" : before === null && first.length && after !== null ? "failed before" : "";
    const note = before !== null && after !== null ? without : after === null ? gone(second) || "missing" : without || "new";
    const relative = note === "missing" ? relatives.later.get(i) : note === "new" ? relatives.earlier.get(i) : null;
    return { key: all.key[i], label: all.label[i], name: all.name[i], units: facet("units", i), place: (second.length ? second : first)[0], before, after, change, kind, note, error, hint: relative ? relative[1] : "", spread: noise?.[0] ?? null, least: all.threshold[i] ? `from ${all.threshold[i][2]}` : "" };
  }

  /* Worse or better where a finding between the points says so, and the difference of the medians agrees: it alone is not tested. */
  function between(series, from, to, change, direction) {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const found = series.findings.filter((finding) => finding.at > low && finding.at <= high && finding.worse !== null && finding.state !== "ignored" && finding.state !== "fixed");
    const isWorse = (change > 0) === (direction === "lower");
    return change && found.some((finding) => finding.worse === (from < to ? isWorse : !isWorse)) ? (isWorse ? "worse" : "better") : "quiet";
  }

  /* How many runs with a number there are up to the commit that is compared with. */
  function runsUpTo(series, places) {
    return series.median.slice(0, Math.max(...places) + 1).filter((median) => median !== null).length;
  }

  /* The smallest and the largest change that is worse, or better, in parentheses. */
  function extent(kind) {
    const changes = rows.filter((one) => one.kind === kind).map((one) => one.change).sort((x, y) => x - y);
    if (!changes.length) return "";
    return ` (${changes.length > 1 ? quantity.interval(changes[0], changes.at(-1)) : quantity.percent(changes[0])})`;
  }

  function show() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = rows.filter((one) => words.every((word) => one.label.toLowerCase().includes(word)));
    const value = columns.find(({ key }) => key === order.key).sort, way = order.descending ? -1 : 1;
    chosen.sort((x, y) => { const a = value(x) ?? -1, b = value(y) ?? -1; return a < b ? -way : a > b ? way : 0; });
    grid.show(chosen);
    const count = (kind) => rows.filter((one) => one.kind === kind).length;
    const notes = ["failed", "failed before", "missing", "insufficient", "new"].map((note) => [rows.filter((one) => one.note === note).length, note]);
    const moved = count("worse") || count("better") ? `${count("worse")} worse${extent("worse")} and ${count("better")} better${extent("better")} by a finding between them` : "no finding between them";
    status.textContent = [`${rows.length.toLocaleString("en")} series: ${moved}`, ...notes.filter(([number]) => number).map((pair) => pair.join(" "))].join(", ");
  }

  /* The group that an address names: of those that fit, one that has its commits, with the most series; null where none fits. */
  function groupOf(given) {
    const parts = ["dut", "bed", "suite"].map((name, at) => [name, given.get(name), at]).filter(([, text]) => text);
    const fits = groups.map((_, i) => i).filter((i) => parts.every(([, text, at]) => groups[i][at] === text));
    if (parts.length && !fits.length) refused = `No results of ${parts.map(([name, text]) => `${name} ${JSON.stringify(text.slice(0, 80))}`).join(", ")}.`;
    const known = (i) => ["a", "b"].filter((name) => given.get(name) && named(given.get(name).trim(), i)[0] === null).length;
    const unnamed = (i) => (parts.length > 1 && groups[i][2] !== (given.get("suite") || "") ? 1 : 0);
    return fits.sort((x, y) => unnamed(x) - unnamed(y) || known(x) - known(y) || sizes[y] - sizes[x])[0] ?? null;
  }

  const given = bench.state();
  const names = groups.map(([dut, bed, suite], i) => [i, [suite, bed, dut].filter(Boolean).map((text) => text.slice(0, 60)).join(" · ")]);
  options(form.group, names, groupOf(given));
  /* Another group keeps the commits that it has, too. */
  form.group.addEventListener("change", () => {
    if (!form.group.value) { refuse(); return; }
    const group = Number(form.group.value), kept = ["a", "b"].map((name) => [name, builds[form[name].value]?.[0] || ""]);
    chooseGroup(new URLSearchParams(kept.filter(([, commit]) => commit && named(commit, group)[0] !== null)));
  });
  form.a.addEventListener("change", compare);
  form.b.addEventListener("change", compare);
  form.q.addEventListener("input", () => { if (rows.length) { show(); keep(); } });
  form.swap.addEventListener("click", () => { [form.a.value, form.b.value] = [form.b.value, form.a.value]; compare(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.q.value = given.get("q") || "";
  window.addEventListener("hashchange", () => location.reload());
  if (form.group.value) chooseGroup(given); else refuse();
})();
