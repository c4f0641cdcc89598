"use strict";
/* Several series on one chart, a line each, told apart by colour and by a number at the end of the line. */
bench.lines = (() => {
  const { plot: common } = bench, colours = 8;
  const most = 10, listed = 60;  // lines that are drawn at first, and that a legend lists

  function colour(place) { return bench.colour(`line-${place % colours + 1}`); }

  /* Draws lines into a box. `across` are the places of all points, ascending, and each line has `values`, one a place, null for none. */
  function chart(box, across, lines, { shown, ticks, named = "", log, logAcross, fromZero, points, marks, onSelect, onZoom, tall }) {
    const height = tall || common.tall(460, 0.5);
    const dots = points || across.length <= 400;

    function range(u, lowest) {
      const [from, to] = u.series[0].idxs || [0, across.length - 1];
      const known = lines.filter((line) => line.on).flatMap((line) => line.values.slice(from, to + 1)).filter((value) => value !== null);
      return lowest === null || !known.length ? common.around(null, null, { log, fromZero }) : common.around(...ends(known), { log, fromZero });
    }

    function ends(values) { return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]); }

    function drawNumbers(u) {
      marks?.draw(u, (place) => u.valToPos(across[place], "x", true));
      const context = u.ctx, size = 15 * devicePixelRatio, right = u.bbox.left + u.bbox.width;
      const [from, to] = u.series[0].idxs || [0, across.length - 1];
      const tags = lines.map((line, i) => ({ i, line, at: last(line.values, from, to) })).filter(({ line, at }) => line.on && at !== null);
      const placed = tags.map((tag) => ({ ...tag, y: u.valToPos(tag.line.values[tag.at], "y", true) })).sort((a, b) => a.y - b.y);
      placed.forEach((tag, i) => { if (i) tag.y = Math.max(tag.y, placed[i - 1].y + size); });
      context.save();
      context.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
      context.textBaseline = "middle";
      context.textAlign = "left";
      for (const { i, y } of placed) {
        context.fillStyle = colour(i);
        context.fillText(String(i + 1), right + 6 * devicePixelRatio, y);
      }
      context.restore();
    }

    function last(values, from, to) {
      for (let i = to; i >= from; i -= 1) if (values[i] !== null) return i;
      return null;
    }

    const drawn = lines.map((line, i) => ({
      label: line.name, show: line.on, stroke: colour(i), width: 1.6, spanGaps: true,
      points: { show: dots, size: points ? 7 : 3.5, fill: colour(i), stroke: colour(i), width: 0 },
    }));
    const options = {
      width: Math.max(200, box.clientWidth), height, padding: [12, Math.max(30, common.right(ticks([across[across.length - 1]])[0])), 0, 0], legend: { show: false },
      scales: {
        x: { time: false, distr: logAcross ? 3 : 1, range: (u, low, high) => (low === high ? (logAcross ? [low / 2, high * 2] : [low - 1, high + 1]) : points && logAcross ? common.around(low, high, { log: true }) : [low, high]) },
        y: { range, distr: log ? 3 : 1 },
      },
      cursor: { y: false, drag: { x: !points, y: false, dist: 8 }, points: { size: 9, width: 2, stroke: (u, at) => drawn[at - 1].stroke, fill: bench.colour("surface") } },
      axes: [
        common.axis({ space: 90, size: 34, label: named || undefined, labelSize: 20, labelGap: 0, labelFont: "12px system-ui, sans-serif", values: (u, values) => ticks(values), ...(logAcross && { splits: (u, at, low, high) => common.splits(low, high), filter: (u, values) => values }), ...(!points && !logAcross && across.every(Number.isInteger) && across[across.length - 1] === across.length - 1 && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }) }),
        common.vertical(shown, log),
      ],
      series: [{}, ...drawn],
      hooks: {
        draw: [drawNumbers],
        setScale: [(u, key) => { if (key === "x" && onZoom) onZoom(common.seen(u, across)); }],
        setCursor: [(u) => { if (u.cursor.event && u.cursor.idx !== null && u.cursor.idx !== undefined && u.cursor.left >= 0) onSelect(u.cursor.idx); }],
        ready: [() => performance.mark("bench-chart")],
      },
    };
    const plot = new uPlot(options, [across, ...lines.map((line) => line.values)], box);
    return { ...common.handle(plot, across, box, height), toggle: (at) => plot.setSeries(at + 1, { show: lines[at].on }) };
  }

  /* The points of several series by build, in the order of their commits: a value each, the median where a series has several. */
  function together(several) {
    const builds = new Map();
    several.forEach((series, number) => series.commit.forEach((commit, i) => {
      const name = `${series.time[i]} ${commit} ${series.version[i]}`;
      const build = builds.get(name) || { commit, version: series.version[i], time: series.time[i], values: several.map(() => []) };
      if (series.median[i] !== null) build.values[number].push(series.median[i]);
      builds.set(name, build);
    }));
    const ordered = [...builds.values()].sort((a, b) => a.time - b.time);
    return { builds: ordered, values: several.map((_, number) => ordered.map((build) => bench.draw.median(build.values[number]))) };
  }

  /* Values relative to that at a place, or else to the nearest before, or after it; all null where there is none but zero. */
  function relative(values, place) {
    const before = values.slice(0, place + 1).findLast((value) => value !== null), after = values.slice(place).find((value) => value !== null);
    const base = before ?? after;
    return values.map((value) => (value === null || !base ? null : (value - base) / Math.abs(base)));
  }

  function ratio(values, others) { return values.map((value, i) => (value === null || !others[i] ? null : value / others[i])); }

  function positive(values) { return values.map((value) => (value > 0 ? value : null)); }

  /* The legend: a button a line that shows or hides it, with its number, its name and, where the pointer is, its value. `left` is how many lines it leaves out. */
  function legend(node, lines, { left, onToggle, link }) {
    const { el } = bench;
    const values = lines.map(() => el("span", { class: "num" }));
    node.replaceChildren(...lines.map((line, i) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" }, String(i + 1));
      swatch.style.color = `var(--line-${i % colours + 1})`;
      const button = el("button", { type: "button", "aria-pressed": String(line.on), onclick: () => {
        line.on = !line.on;
        button.setAttribute("aria-pressed", String(line.on));
        onToggle(i);
      } }, swatch, el("bdi", {}, line.name));
      return el("li", {}, button, values[i], link?.(line, i));
    }), left ? el("li", { class: "quiet" }, `${left.toLocaleString("en")} more are not listed`) : "");
    return (texts) => texts.forEach((text, i) => { values[i].replaceChildren(text); });
  }

  return { chart, most, listed, together, relative, ratio, positive, legend };
})();
