"use strict";
/* All series, each with its newest point and what stands. */
(() => {
  const { el, quantity } = bench;
  const all = bench.held.get("catalogue");
  const noisy = all.noise.some(Boolean);
  const { later, earlier } = bench.data.relatives(all);
  const facet = (name, i) => all.facets[name][all[name][i]];

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

  function moved(i) {
    if (all.few[i]) return el("span", { class: "quiet", title: "Too few runs for a verdict" }, quantity.percent(all.change[i]));
    const kind = quantity.kind(all.change[i], facet("direction", i), all.noise[i], all.threshold[i], all.latest[i] / (1 + all.change[i]));
    return el("span", { class: kind, title: all.threshold[i] ? `from ${all.threshold[i][2]}` : "" }, quantity.verdict(all.change[i], kind));
  }

  const own = [
    { key: "trend", title: "History", class: "wide", cell: () => el("canvas", { "aria-hidden": "true" }), drawn: (cell, i) => bench.draw.spark(cell.firstChild, all.spark[i]) },
    { key: "latest", title: "Latest", class: "num", sort: (i) => all.latest[i], cell: (i) => (all.failing[i] ? "failed" : quantity.text(all.latest[i], facet("units", i))) },
    { key: "change", title: "Change", class: "num", sort: (i) => all.change[i], cell: moved },
    noisy && { key: "noise", title: "Spread", class: "num quiet wide", sort: (i) => all.noise[i]?.[0], cell: (i) => quantity.share(all.noise[i]?.[0]) },
    { key: "standing", title: "Standing", class: "wide", sort: (i) => all.worse[i] * 1e6 + all.better[i] * 1e3 + all.failing[i] * 2 + all.stale[i], cell: flags },
  ].filter(Boolean);

  document.getElementById("grid").classList.toggle("noisy", noisy);
  bench.index({ name: "All series", own, kinds: {
    all: () => true,
    worse: (i) => all.worse[i] > 0,
    better: (i) => all.better[i] > 0,
    failing: (i) => all.failing[i],
    stale: (i) => all.stale[i],
  }, first: { key: "name", descending: false } });
})();
