"use strict";
/* What the charts of histories and of scaling have in common: axes, scales and the lines across them. */
bench.plot = (() => {
  const font = "12px system-ui, sans-serif";

  function axis(rest) {
    return { stroke: bench.colour("muted"), grid: { stroke: bench.colour("grid"), width: 1 }, ticks: { show: false }, font, ...rest };
  }

  /* Places of the ticks of a logarithmic axis: decades or 1, 2, 5 of each, and even steps where less than a decade is shown. */
  function splits(low, high, most = 8) {
    const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const inside = (values) => values.filter((value) => value >= low * 0.999999 && value <= high * 1.000001);
    const decades = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const tens = inside(decades.map((power) => 10 ** power));
    if (tens.length > 3) { const every = Math.ceil(tens.length / most); return tens.filter((_, i) => i % every === 0); }
    const some = inside(decades.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`))));
    if (some.length > 2) return some;
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find((digit) => digit * power >= rough) || 10);
    return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
  }

  const dense = (values, log) => log && values.length > 1 && values[values.length - 1] / values[0] >= 5;

  /* How values are shown: `ticks` those of an axis, and `text` one of them. `as` is "units", "percent" or "ratio". */
  function format(as, units, log) {
    const { quantity } = bench;
    const plain = (value) => `${Number(value.toPrecision(4))}×`;
    const ways = {
      units: { ticks: (values) => (dense(values, log) ? values.map((value) => quantity.ticks([value], units)[0]) : quantity.ticks(values, units)), text: (value) => quantity.text(value, units) },
      percent: { ticks: (values) => quantity.ticks(values.map((value) => value * 100), "").map((text) => `${text.replace("-", "−")} %`), text: (value) => (value === null ? "–" : quantity.percent(value)) },
      ratio: { ticks: (values) => (dense(values, log) ? values.map(plain) : quantity.ticks(values, "").map((text) => `${text}×`)), text: (value) => (value === null ? "–" : plain(value)) },
    };
    return ways[as];
  }

  function vertical(shown, log) {
    const size = (u, texts) => Math.max(78, 20 + 6.6 * Math.max(0, ...(texts || []).map((text) => text.length)));
    return axis({ size, gap: 8, values: (u, values) => (values.length ? shown.ticks(values) : []), ...(log && { splits: (u, at, low, high) => splits(low, high), filter: (u, values) => values }) });
  }

  /* The ends of an axis around known values; those of a logarithmic axis are a share apart. */
  function around(low, high, { log, fromZero }) {
    if (low === undefined || low === null || !Number.isFinite(low)) return log ? [1, 10] : [0, 1];
    if (log) { const edge = Math.max(1.02, (high / low) ** 0.06); return [low / edge, high * edge]; }
    const edge = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
    return fromZero ? [Math.min(0, low), Math.max(0, high + edge)] : [low - edge, high + edge];
  }

  function line(u, from, to, at, stroke, width, dash) {
    const context = u.ctx;
    context.save();
    context.beginPath();
    context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    context.clip();
    context.strokeStyle = stroke;
    context.lineWidth = width * devicePixelRatio;
    context.setLineDash(dash.map((length) => length * devicePixelRatio));
    context.beginPath();
    context.moveTo(from, at[0]);
    context.lineTo(to, at[1]);
    context.stroke();
    context.restore();
  }

  /* What a chart lets a reader do: hold a point, zoom and see all again. `across` are the places of its points. */
  function handle(plot, across, box, height) {
    const ends = [across[0], across[across.length - 1]];
    const show = (low, high) => plot.setScale("x", { min: low, max: high });
    return {
      // a new plot and a new size have no scales before uPlot's own microtask
      point: (at) => queueMicrotask(() => plot.setCursor({ left: plot.valToPos(across[at], "x"), top: 0 }, false)),
      fit: () => plot.setSize({ width: Math.max(200, box.clientWidth), height }),
      all: () => show(...ends),
      zoom: (low, high) => queueMicrotask(() => show(low, high)),
      closer: (at, by) => {
        const { min, max } = plot.scales.x, half = (max - min) * by / 2, middle = Math.min(Math.max(across[at], ends[0] + half), ends[1] - half);
        if (half * 2 >= ends[1] - ends[0]) show(...ends); else if (half > 0) show(middle - half, middle + half);
      },
      destroy: () => plot.destroy(),
    };
  }

  /* The stretch in sight; null for all of it. */
  function seen(u, across) {
    const { min, max } = u.scales.x, first = across[0], last = across[across.length - 1];
    return min === null || (min <= first && max >= last) ? null : [min, max];
  }

  /* The annotations and baselines of the points of a chart: each at the first point of its commit, or else at the first that is later. */
  function marks(commits, times, dut, bed) {
    const known = bench.held.get("settings").annotations.filter((one) => (!one.dut || one.dut === dut) && (!one.bed || one.bed === bed));
    const placed = known.map((one) => {
      const exact = commits.indexOf(one.commit);
      return { ...one, place: exact >= 0 || !one.time ? exact : times.findIndex((time) => time >= one.time) };
    }).filter(({ place }) => place >= 0).sort((a, b) => a.place - b.place);

    function draw(u, across) {
      const context = u.ctx, ratio = devicePixelRatio, rows = [];
      for (const { place, text } of placed) {
        const x = across(place);
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
        line(u, x, x, [u.bbox.top, u.bbox.top + u.bbox.height], bench.colour("note"), 1.25, [1, 3]);
        const label = text.length > 28 ? `${text.slice(0, 27)}…` : text;
        context.save();
        context.font = `${11 * ratio}px system-ui, sans-serif`;
        const width = context.measureText(label).width + 8 * ratio;
        const left = x + 4 * ratio + width > u.bbox.left + u.bbox.width ? x - width : x + 4 * ratio;
        let row = rows.findIndex((end) => end < left);
        if (row < 0) row = rows.push(0) - 1;
        rows[row] = left + width;
        const y = u.bbox.top + u.bbox.height - (8 + 14 * row) * ratio;
        context.globalAlpha = 0.85;
        context.fillStyle = bench.colour("surface");
        context.fillRect(left - 2 * ratio, y - 7 * ratio, width, 14 * ratio);
        context.globalAlpha = 1;
        context.fillStyle = bench.colour("note");
        context.textBaseline = "middle";
        context.textAlign = "left";
        context.fillText(label, left, y);
        context.restore();
      }
    }

    return { draw, placed };
  }

  /* The room to the right of a chart that half of its last date needs. */
  function right(text) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = font;
    return Math.max(14, Math.ceil(context.measureText(text).width / 2) + 2);
  }

  function tall(most = 400, share = 0.44) { return Math.max(260, Math.min(most, Math.round(window.innerHeight * share))); }

  return { axis, vertical, splits, format, around, line, handle, seen, marks, right, tall };
})();
