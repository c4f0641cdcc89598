"use strict";
/* One series: what it is, its history, the point under the pointer or chosen by keys, its findings, and every point as a table. */
(() => {
  const { el, quantity } = bench;
  const all = bench.held.get("catalogue");
  const $ = (id) => document.getElementById(id);
  const form = $("view");
  let here = -1, series = null, strips = null, plot = null, at = 0, pinned = false;

  function facet(name, place) { return all.facets[name][all[name][place]]; }

  function link(place, text) { return el("a", { href: `#s=${all.key[place]}` }, el("bdi", {}, text)); }

  async function open() {
    const key = bench.state().get("s");
    const place = all.key.indexOf(key);
    if (place < 0) { fail(key ? "This series is no longer in the store, or never was." : "No series chosen."); return; }
    if (place !== here) {
      here = place;
      head();
      try {
        const shard = await bench.data.load(all.files[all.file[here]][0]);
        if (all.key[here] !== key) return;
        series = bench.data.series(shard, key);
      } catch (error) { fail(error.message); return; }
      strips = null;
      $("body").hidden = false;
      about();
      draw();
      findings();
      others();
      $("table").replaceChildren();
      $("points").open = false;
      loadSamples(key);
    }
    const wanted = bench.state().get("p");
    select(wanted !== null && wanted >= 0 && wanted < series.length ? Number(wanted) : series.length - 1, true);
  }

  async function loadSamples(key) {
    const url = all.files[all.file[here]][1];
    if (!url) return;
    const content = await bench.data.load(url).catch(() => null);
    if (content && all.key[here] === key) { strips = content.series[key] || null; panel(); }
  }

  function fail(message) {
    here = -1;
    $("title").textContent = "No such series";
    $("body").hidden = true;
    $("facts").replaceChildren(message, el("a", { href: "series.html" }, "All series"));
  }

  function head() {
    const units = facet("units", here), metric = facet("metric", here);
    document.title = all.label[here].slice(0, 120);
    $("title").textContent = all.label[here];
    const known = [facet("bed", here), facet("dut", here), metric === "time" ? "" : metric, quantity.better[facet("direction", here)], units];
    $("facts").replaceChildren(...known.filter(Boolean).map((text) => el("bdi", {}, text)));
    $("previous").replaceChildren(here > 0 ? link(here - 1, "← previous series") : "");
    $("next").replaceChildren(here + 1 < all.key.length ? link(here + 1, "next series →") : "");
  }

  function tile(name, value, note = "", title = "") {
    return el("div", { title }, el("dt", {}, name), el("dd", {}, value, note && " ", note && el("small", {}, note)));
  }

  function about() {
    const units = facet("units", here), levels = bench.chart.levels(series), level = levels[levels.length - 1];
    const noise = all.noise[here], tiles = [];
    tiles.push(tile("Latest", all.failing[here] ? "failed" : quantity.text(all.latest[here], units), quantity.date(all.time[here])));
    if (level) tiles.push(tile("Present level", quantity.text(level.at, units), `${level.to - level.from + 1} ${quantity.points(level.to - level.from + 1)}`, "Median of the points since the last change"));
    tiles.push(tile("History", String(series.length), quantity.points(series.length)));
    if (noise) {
      tiles.push(tile("Run-to-run spread", quantity.share(noise[0]), noise[2] ? "runs alike" : "", noise[2] ? "Neighbouring runs resemble each other, so there is less evidence than points" : ""));
      tiles.push(tile("Smallest visible change", quantity.share(noise[1]), noise[3] ? `${noise[3]} runs needed` : ""));
    }
    $("tiles").replaceChildren(...tiles);
    const warnings = [];
    if (all.stale[here]) warnings.push("Not measured at the newest commits of its suite.");
    if (all.failing[here]) warnings.push("Its newest result is a failure.");
    if (noise && noise[2]) warnings.push("Neighbouring runs resemble each other: small changes need more runs than the spread suggests.");
    if (all.few[here]) warnings.push(`Too few runs for a verdict: a baseline needs at least ${quantity.rule("baseline_runs")}.`);
    const { later, earlier } = bench.data.relatives(all);
    const relatives = [["May go on as ", later.get(here)], ["May be the continuation of ", earlier.get(here)]].filter(([, found]) => found);
    const notices = [...warnings.map((text) => [text]), ...relatives.map(([text, [place, hint]]) => [text, link(place, all.label[place]), ": ", el("bdi", {}, hint)])];
    $("warnings").replaceChildren(...notices.map((parts) => el("p", { class: "notice" }, ...parts)));
  }

  function draw() {
    plot?.destroy();
    const dated = series.time.every(Boolean) && series.time[0] < series.time[series.length - 1];
    for (const input of form.across) input.disabled = input.value === "date" && !dated;
    if (!dated) form.across.value = "commit";
    plot = bench.chart.chart($("plot"), series, {
      units: facet("units", here), byDate: form.across.value === "date", fromZero: form.up.value === "zero",
      onSelect: (place) => { if (!pinned) select(place, false); },
      onPin: () => { pinned = !pinned; panel(); keep(); },
    });
    $("plot").setAttribute("aria-valuemax", series.length - 1);
    for (const node of document.querySelectorAll("[data-when]")) node.hidden = !has(node.dataset.when);
  }

  function has(what) {
    return {
      band: series.q1.some((value, i) => value !== null && value !== series.q3[i]), failed: Object.keys(series.errors).length > 0,
      worse: series.findings.some((finding) => finding.worse === true), better: series.findings.some((finding) => finding.worse === false),
      blessed: series.findings.some((finding) => finding.state === "blessed"),
    }[what];
  }

  function select(place, byKey) {
    at = Math.max(0, Math.min(series.length - 1, place));
    if (byKey) { plot.point(at); }
    panel();
  }

  function panel() {
    if (!series) return;
    const units = facet("units", here), error = series.errors[at];
    const before = previous(at), median = series.median[at];
    const rows = [
      ["Commit", el("span", {}, bench.data.commitLink(series.commit[at]), " ", el("span", { class: "quiet" }, series.branch[at]))],
      ["Committed", `${quantity.moment(series.time[at])} UTC`],
      ["Version", el("bdi", {}, series.version[at])],
      error === undefined ? ["Median", el("strong", {}, quantity.text(median, units))] : ["Failed", el("span", { class: "worse" }, error)],
      series.q1[at] !== null && ["Middle half", `${quantity.text(series.q1[at], units)} to ${quantity.text(series.q3[at], units)}`],
      series.lower && series.lower[at] !== null && ["Interval", `${quantity.text(series.lower[at], units)} to ${quantity.text(series.upper[at], units)}`],
      ["Samples", series.n[at].toLocaleString("en")],
      before !== null && median !== null && ["Since the point before", quantity.percent((median - series.median[before]) / Math.abs(series.median[before]))],
    ].filter(Boolean);
    $("values").replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const spoken = `Point ${at + 1} of ${series.length}, ${quantity.date(series.time[at])}, commit ${series.commit[at].slice(0, quantity.rule("sha_length"))}, ${error === undefined ? quantity.text(median, units) : "failed"}`;
    $("plot").setAttribute("aria-valuenow", at);
    $("plot").setAttribute("aria-valuetext", spoken);
    $("pinned").hidden = !pinned;
    strip(units, before);
  }

  /* A point that is held is named in the address. */
  function keep() { bench.remember({ s: all.key[here], p: pinned ? String(at) : "" }); }

  /* After a link on the page: the same link of the next series, or the beginning of what is new. */
  async function follow() {
    const before = here, from = document.activeElement, step = from.parentElement?.id;
    pinned = false;
    await open();
    if (here === before || (from.isConnected && from !== document.body)) return;
    const again = ["previous", "next"].includes(step) && $(step).querySelector("a");
    scrollTo(0, 0);
    (again || $("title")).focus({ preventScroll: true });
  }

  function previous(place) {
    for (let i = place - 1; i >= 0; i -= 1) if (series.median[i] !== null) return i;
    return null;
  }

  function strip(units, before) {
    const held = bench.data.samples(strips, at);
    $("strip").hidden = !held || held.low === held.high;
    if (!$("strip").hidden) {
      $("low").textContent = quantity.text(held.low, units);
      $("high").textContent = quantity.text(held.high, units);
      $("about-strip").textContent = `${held.shares.length < held.all ? `${held.shares.length} of ` : ""}${held.all} samples, in order of measuring`;
      bench.strip($("samples"), { median: series.median[at], q1: series.q1[at], q3: series.q3[at] }, held);
    }
    const suitable = before !== null && series.commit[before] && series.commit[at];
    const values = suitable && new URLSearchParams({ a: series.commit[before], b: series.commit[at], bed: facet("bed", here), dut: facet("dut", here), suite: facet("suite", here) });
    $("compare").replaceChildren(suitable ? el("a", { href: `compare.html#${values}` }, "Compare all series with the commit before") : "");
  }

  function findings() {
    $("findings").hidden = !series.findings.length;
    document.querySelectorAll("[data-common]").forEach((node) => { node.hidden = !series.findings.some((finding) => finding.common); });
    $("found").replaceChildren(...series.findings.map((finding) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#s=${all.key[here]}&p=${finding.at}` }, quantity.date(finding.time))),
      el("td", {}, bench.data.commitLink(finding.commit)),
      el("td", { class: `num ${bench.chart.tone(finding)}` }, el("strong", {}, quantity.verdict(finding.effect, bench.chart.tone(finding)))),
      el("td", { class: "num wide" }, quantity.interval(finding.low, finding.high)),
      el("td", { class: "num wide" }, quantity.probability(finding.p).replace(/^p /, "")),
      el("td", {}, finding.state, finding.provisional ? ", provisional" : ""),
      series.findings.some((other) => other.common) && el("td", { class: "wide" }, el("bdi", {}, finding.common || "")))));
  }

  function others() {
    const stem = all.label[here].split(" {")[0];
    const near = all.label.map((label, i) => i).filter((i) => i !== here && all.label[i].split(" {")[0] === stem).slice(0, 40);
    $("others").hidden = !near.length;
    $("near").replaceChildren(...near.map((i) => el("li", {}, link(i, all.label[i]), " ", el("span", { class: "quiet" }, facet("bed", i)))));
  }

  function fill() {
    if (!$("points").open || $("table").children.length) return;
    const units = facet("units", here);
    const rows = series.median.map((median, i) => el("tr", {},
      el("th", { scope: "row" }, bench.data.commitLink(series.commit[i])),
      el("td", {}, quantity.moment(series.time[i])), el("td", { class: "wide" }, el("bdi", {}, series.version[i])),
      el("td", { class: "num" }, i in series.errors ? `failed: ${series.errors[i].slice(0, 60)}` : quantity.text(median, units)),
      el("td", { class: "num" }, quantity.text(series.q1[i], units)), el("td", { class: "num" }, quantity.text(series.q3[i], units)),
      el("td", { class: "num" }, series.n[i].toLocaleString("en"))));
    $("table").replaceChildren(...rows.reverse());
  }

  const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e9, End: 1e9 };
  $("plot").addEventListener("keydown", (event) => {
    if (event.key in keys) { pinned = true; select(at + keys[event.key], true); } else if (event.key === "Enter" || event.key === " ") { pinned = !pinned; panel(); } else if (event.key === "Escape") { pinned = false; plot.all(); panel(); } else return;
    event.preventDefault();
  });
  $("plot").addEventListener("keyup", (event) => { if (event.key !== "Tab") keep(); });  // one a stroke, however long: browsers limit how often
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const step = { "[": "previous", "]": "next" }[event.key];
    if (step) $(step).querySelector("a")?.click();
  });
  form.addEventListener("input", () => { draw(); select(at, true); });
  $("points").addEventListener("toggle", fill);
  window.addEventListener("hashchange", follow);
  new ResizeObserver(() => { if (plot) { plot.fit(); plot.point(at); panel(); } }).observe($("plot"));
  bench.onTheme(() => { if (series) { draw(); select(at, true); } });
  open();
})();
