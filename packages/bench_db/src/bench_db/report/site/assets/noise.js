"use strict";
/* What the history of each series can show, noisiest first. */
(() => {
  const { el, quantity } = bench;
  const { noise } = bench.held.get("catalogue");
  const [spread, smallest, alike, needed] = [0, 1, 2, 3].map((place) => (i) => noise[i]?.[place]);
  const asked = quantity.rule("noise_effect");

  function runs(i) {
    if (needed(i)) return needed(i).toLocaleString("en");
    return el("span", { title: spread(i) ? "The history is too short or too noisy, however many runs are compared" : "Too few runs to tell" }, "–");
  }

  bench.index({ name: "Noise of all series", own: [
    { key: "spread", title: "Spread", class: "num", sort: spread, cell: (i) => quantity.share(spread(i)) },
    { key: "smallest", title: "Smallest visible change", class: "num wide", sort: smallest, cell: (i) => quantity.share(smallest(i)) },
    { key: "needed", title: `Runs for ${Number((asked * 100).toPrecision(4))} %`, class: "num", sort: needed, cell: runs },
    { key: "alike", title: "Warning", class: "wide", sort: (i) => Number(alike(i) === true), cell: (i) => (alike(i) ? el("span", { class: "badge warn", title: "Neighbouring runs resemble each other, so their number says less than it seems" }, "runs alike") : "") },
  ], kinds: {
    all: () => true,
    blind: (i) => smallest(i) > asked,
    alike: (i) => alike(i),
    unknown: (i) => (spread(i) ?? null) === null,
  }, first: { key: "spread", descending: true } });
})();
