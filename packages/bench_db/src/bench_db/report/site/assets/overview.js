"use strict";
/* The findings: what stands first, what moved together under one heading. */
(() => {
  const { el, quantity } = bench;
  const batch = 30;
  const findings = bench.held.get("findings").findings;
  const standing = (finding) => finding.state === "open" || finding.state === "reopened";
  const box = document.getElementById("findings");
  const together = document.getElementById("together");
  const form = document.getElementById("filter");
  let shown = batch;

  function kind(finding) { return finding.worse === null ? "moved" : finding.worse ? "worse" : "better"; }

  function badges(finding) {
    const words = { open: null, reopened: ["reopened", "warn"], blessed: ["blessed", "blessed"], fixed: ["fixed", ""], ignored: ["ignored", ""] };
    const state = words[finding.state];
    return [
      state && el("span", { class: `badge ${state[1]}` }, state[0]),
      finding.provisional && el("span", { class: "badge", title: "Too few points follow it to be sure" }, "provisional"),
    ].filter(Boolean);
  }

  function item(finding) {
    const word = { worse: "worse", better: "better", moved: "moved" }[kind(finding)];
    const canvas = el("canvas", { "aria-hidden": "true" });
    const interval = quantity.interval(finding.low, finding.high);
    const node = el("li", { class: "finding", "data-finding": finding.id },
      canvas,
      el("div", {},
        el("a", { class: "title", href: `benchmark.html#s=${finding.key}&p=${finding.at}`, title: finding.label }, el("bdi", {}, finding.name || finding.label)),
        el("div", { class: "about" }, el("bdi", {}, finding.bed), bench.data.commitLink(finding.commit), el("span", {}, quantity.date(finding.time)), badges(finding)),
        finding.because && el("div", { class: "quiet small" }, el("bdi", {}, finding.because))),
      el("div", { class: "effect" },
        el("strong", { class: kind(finding) }, quantity.percent(finding.effect)),
        el("span", { class: "quiet small" }, word, el("span", { class: "interval" }, interval ? ` · ${interval}` : "", finding.p === null ? "" : ` · ${quantity.probability(finding.p)}`))));
    return { node, canvas, finding };
  }

  function list(chosen) {
    const items = chosen.map(item);
    return { node: el("ul", { class: "list" }, items.map(({ node }) => node)), draw: () => items.forEach(({ canvas, finding }) => bench.draw.excerpt(canvas, finding)) };
  }

  function wanted() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = form.state.value, way = form.way.value;
    return findings.filter((finding) =>
      (state === "all" || (state === "open" ? standing(finding) : finding.state === state))
      && (way === "all" || kind(finding) === way)
      && words.every((word) => `${finding.label} ${finding.bed} ${finding.commit}`.toLowerCase().includes(word)));
  }

  function show() {
    const chosen = wanted();
    const alone = chosen.filter((finding) => !finding.common);
    const part = list(alone.slice(0, shown));
    const rest = alone.length - shown;
    const none = findings.length ? "No finding matches." : "No change point has been found; bench-db scan looks for them.";
    box.replaceChildren(alone.length ? part.node : el("p", { class: "empty" }, chosen.length ? "Everything else moved together, as said above." : none));
    if (rest > 0) box.append(el("button", { class: "more", onclick: () => { shown += batch; show(); } }, `Show ${Math.min(batch, rest)} more of ${rest.toLocaleString("en")}`));
    part.draw();
    showTogether(chosen.filter((finding) => finding.common));
    document.getElementById("status").textContent = `${chosen.length.toLocaleString("en")} findings shown`;
    bench.remember({ q: form.q.value, state: form.state.value === "open" ? "" : form.state.value, way: form.way.value === "all" ? "" : form.way.value });
  }

  function showTogether(chosen) {
    together.replaceChildren(...Object.entries(Object.groupBy(chosen, (finding) => finding.common)).map(([name, group]) => {
      const details = el("details", {}, el("summary", {}, `The ${group.length} series`));
      details.addEventListener("toggle", () => {
        if (!details.open || details.children.length > 1) return;
        const part = list(group.slice(0, 200));
        details.append(part.node);
        part.draw();
      });
      return el("section", { class: "notice" },
        el("p", {}, el("strong", {}, `${group.length} series moved together: `), el("bdi", {}, name), `, ${quantity.date(Math.max(...group.map((finding) => finding.time)))}. `, el("bdi", {}, group[0].because || "Cause: not known.")), details);
    }));
  }

  const given = bench.state();
  form.q.value = given.get("q") || "";
  for (const name of ["state", "way"]) {
    const value = given.get(name);
    if ([...form[name]].some((input) => input.value === value)) form[name].value = value;
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { shown = batch; show(); });
  bench.onTheme(show);
  show();
})();
