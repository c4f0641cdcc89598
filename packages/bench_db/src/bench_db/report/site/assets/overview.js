"use strict";
/* The findings by commit, current ones first; a commit with several is one line that opens. */
(() => {
  const { el, quantity } = bench;
  const batch = 30;
  const { findings, subjects } = bench.held.get("findings");
  const standing = (finding) => finding.state === "open" || finding.state === "reopened";
  const box = document.getElementById("findings");
  const form = document.getElementById("filter");
  const several = bench.held.get("settings").beds > 1;
  let shown = batch;

  function kind(finding) { return finding.worse === null ? "moved" : finding.worse ? "worse" : "better"; }

  function badges(finding) {
    const words = { open: null, reopened: ["reopened", "warn"], blessed: ["blessed", "blessed"], fixed: ["fixed", ""], ignored: ["ignored", ""] };
    const state = finding.withdrawn ? ["withdrawn", ""] : words[finding.state];
    return [
      state && el("span", { class: `badge ${state[1]}` }, state[0]),
      finding.provisional && el("span", { class: "badge", title: "Later runs confirm or withdraw it" }, "provisional"),
    ].filter(Boolean);
  }

  function item(finding) {
    const word = finding.what ? "" : { worse: "worse", better: "better", moved: "moved" }[kind(finding)];
    const canvas = el("canvas", { "aria-hidden": "true" });
    const interval = quantity.interval(finding.low, finding.high);
    const node = el("li", { class: "finding", "data-finding": finding.id },
      canvas,
      el("div", {},
        el("a", { class: "title", href: `benchmark.html#s=${finding.key}&p=${finding.at}`, title: finding.label }, el("bdi", {}, finding.name || finding.label)),
        el("div", { class: "about" }, el("bdi", {}, finding.where), bench.data.commitLink(finding.commit), subjects[finding.commit] && el("bdi", {}, subjects[finding.commit]), finding.page && el("a", { href: finding.page }, "what it did"), several && el("a", { href: `benchmark.html#s=${finding.key}&by=bed&c=${finding.commit}` }, "on all test beds"), el("span", {}, quantity.date(finding.time)), badges(finding)),
        finding.because && el("div", { class: "quiet small" }, el("bdi", {}, finding.because))),
      el("div", { class: "effect" },
        el("strong", { class: kind(finding) }, finding.what || quantity.percent(finding.effect)),
        el("span", { class: "quiet small" }, word, el("span", { class: "interval" }, interval ? ` · ${interval}` : "", finding.p === null ? "" : ` · ${quantity.probability(finding.p)}`))));
    return { node, canvas, finding };
  }

  function list(chosen) {
    const items = chosen.map(item);
    return { node: el("ul", { class: "list" }, items.map(({ node }) => node)), draw: () => items.forEach(({ canvas, finding }) => bench.draw.excerpt(canvas, finding)) };
  }

  /* Findings by commit, in the order of the first of each; one without a commit is alone. */
  function groups(chosen) { return [...Map.groupBy(chosen, (finding) => finding.commit || finding.id).values()]; }

  function median(effects) {
    const same = new Set(effects.map(Math.sign)).size === 1;
    const sorted = effects.toSorted((a, b) => a - b);
    return same ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : null;
  }

  /* What moved, as in "125 slower, median +20.0 %, 3 faster". */
  function words(group) {
    const speeds = ["nanoseconds", "per_second", "bytes_per_second"];
    const names = group.every((finding) => speeds.includes(finding.units)) ? { worse: "slower", better: "faster", moved: "moved" } : { worse: "worse", better: "better", moved: "moved" };
    Object.assign(names, { spread: "with other noise", modes: "with other modes" });
    const parts = Object.keys(names).flatMap((way) => {
      const of = group.filter((finding) => (finding.what ? finding.kind : kind(finding)) === way);
      if (!of.length) return [];
      const effect = way === "worse" || way === "better" ? median(of.map((finding) => finding.effect)) : null;
      const text = `${of.length.toLocaleString("en")} ${names[way]}${effect === null ? "" : `, ${of.length > 1 ? "median " : ""}${quantity.percent(effect)}`}`;
      return [el("span", { class: way }, text)];
    });
    return parts.flatMap((part, i) => (i ? [", ", part] : [part]));
  }

  /* A commit with several findings: one line that opens. */
  function folded(group) {
    const beds = [...new Set(group.map((finding) => finding.bed))], first = group[0];
    const common = first.common && group.every((finding) => finding.common === first.common) ? first.common : "";
    const details = el("details", {}, el("summary", {},
      el("span", { class: "sha" }, first.commit.slice(0, quantity.rule("sha_length"))), " ", el("strong", {}, words(group)), " ",
      el("span", { class: "quiet" }, beds.length > 1 ? `${beds.length} test beds` : el("bdi", {}, beds[0]), `, ${quantity.date(first.time)}`)));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const part = list(group.slice(0, 200));
      details.append(part.node, group.length > 200 ? el("p", { class: "quiet small" }, `${(group.length - 200).toLocaleString("en")} more`) : "");
      part.draw();
    });
    const because = new Set(group.map((finding) => finding.because)).size === 1 ? first.because : "";
    return el("li", { class: "group" }, details,
      el("p", { class: "quiet small" },
        subjects[first.commit] && el("bdi", {}, subjects[first.commit]), subjects[first.commit] && first.page && " · ",
        first.page && el("a", { href: first.page }, "What this commit did"), (common || because) && " · ",
        common && el("bdi", {}, `moved together: ${common}. `), because && el("bdi", {}, because)));
  }

  function wanted() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = form.state.value, way = form.way.value;
    return findings.filter((finding) =>
      (state === "all" || (state === "open" ? standing(finding) : finding.state === state))
      && (way === "all" || kind(finding) === way)
      && words.every((word) => `${finding.label} ${finding.where} ${finding.commit} ${subjects[finding.commit] || ""}`.toLowerCase().includes(word)));
  }

  function show() {
    const chosen = wanted(), all = groups(chosen);
    const parts = all.slice(0, shown).map((group) => (group.length > 1 ? { node: folded(group), draw: () => {} } : alone(group[0])));
    const rest = all.length - shown;
    const none = findings.length ? "No finding matches." : box.dataset.none;
    box.replaceChildren(all.length ? el("ul", { class: "list" }, parts.map(({ node }) => node)) : el("p", { class: "empty" }, none));
    if (rest > 0) box.append(el("button", { class: "more", onclick: () => { shown += batch; show(); } }, `Show ${Math.min(batch, rest)} more of ${rest.toLocaleString("en")}`));
    parts.forEach(({ draw }) => draw());
    document.getElementById("status").textContent = `${chosen.length.toLocaleString("en")} findings of ${all.length.toLocaleString("en")} commits shown`;
    bench.remember({ q: form.q.value, state: form.state.value === "open" ? "" : form.state.value, way: form.way.value === "all" ? "" : form.way.value });
  }

  function alone(finding) {
    const { node, canvas } = item(finding);
    return { node, draw: () => bench.draw.excerpt(canvas, finding) };
  }

  const given = bench.state();
  form.q.value = given.get("q") || "";
  for (const name of ["state", "way"]) {
    const value = given.get(name);
    if ([...form[name]].some((input) => input.value === value)) form[name].value = value;
  }
  bench.unknown(["state", "way"].map((name) => [name, given.get(name)]).filter(([name, value]) => form[name].value !== value));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { shown = batch; show(); });
  bench.onTheme(show);
  show();
})();
