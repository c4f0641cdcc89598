"use strict";
/* The history of a series: its points, the band of their middle half, the level between changes, and the changes themselves. */
bench.chart = (() => {
  const failed = 5, { plot: common } = bench, { line } = common;

  /* The medians without those of a pull request. */
  function own(series) { return series.main ? bench.pulls.own(series, series.median) : series.median; }

  /* The levels between changes: where each begins and ends, its median, and the finding that began it. */
  function levels(series) {
    const cuts = series.findings.filter((finding) => finding.state !== "ignored" && finding.at > 0);
    const edges = [0, ...cuts.map((finding) => finding.at), series.length];
    return edges.slice(1).map((end, i) => ({
      from: edges[i], to: end - 1, finding: cuts[i - 1] || null, at: bench.draw.median(own(series).slice(edges[i], end).filter((value) => value !== undefined)),
    })).filter((level) => level.to >= level.from && level.at !== null);
  }

  function tone(finding) { return finding.worse === null ? "level" : finding.worse ? "worse" : "better"; }

  /* Draws into a box. `shown` says how values are written. `onSelect` gets the place of the point under the pointer, `onZoom` the ends in sight. */
  function chart(box, series, { named, shown: format, byDate, fromZero, log, marks, onSelect, onPin, onZoom }) {
    const across = byDate ? series.time : series.median.map((_, i) => i);
    const segments = levels(series);
    const height = common.tall();
    const years = series.time.filter(Boolean).map((seconds) => new Date(seconds * 1000).getUTCFullYear());
    const day = new Set(years).size > 1 ? bench.quantity.date : bench.quantity.shortDate;
    const shown = (u, values) => values.map((value) => label(value));

    function label(value) {
      if (byDate) return day(value);
      return Number.isInteger(value) && value >= 0 && value < series.length ? day(series.time[value]) : "";
    }

    /* All medians in sight, those of a pull request too, and as much of the band as most points need: one wild run shall not flatten the rest. */
    function extent(u) {
      const [from, to] = u.series[0].idxs || [0, series.length - 1];
      const known = (values) => values.slice(from, to + 1).filter((value) => value !== null).sort((a, b) => a - b);
      const middle = known(series.median), lower = known(series.q1), upper = known(series.q3);
      const most = (values, share, other) => (values.length ? values[Math.round(share * (values.length - 1))] : other);
      const low = middle[0], high = middle[middle.length - 1];
      return [Math.min(low, most(lower, 0.1, low)), Math.max(high, most(upper, 0.9, high))];
    }

    function range(u, lowest) {
      const [low, high] = lowest === null ? [] : extent(u);
      return common.around(low, high, { log, fromZero });
    }

    function drawLevels(u) {
      const half = (place, side) => {
        const here = u.valToPos(across[place], "x", true), other = across[place + side];
        return other === undefined ? here : (here + u.valToPos(other, "x", true)) / 2;
      };
      for (const level of segments) {
        const y = u.valToPos(level.at, "y", true);
        const blessed = level.finding?.state === "blessed";
        const stroke = bench.colour(blessed ? "blessed" : "level");
        line(u, half(level.from, -1), half(level.to, 1), [y, y], stroke, 2, blessed ? [7, 4] : []);
      }
      marks.draw(u, (place) => half(place, -1));
      for (const finding of series.findings) drawChange(u, finding, half(finding.at, -1));
      drawFailures(u);
      series.median.forEach((median, i) => { if (series.main[i] < 0 && median !== null) drawPull(u, u.valToPos(across[i], "x", true), u.valToPos(median, "y", true)); });
    }

    /* A diamond with the name of the pull request beside it. */
    function drawPull(u, x, y) {
      const { ctx } = u, ratio = devicePixelRatio, size = 6 * ratio, right = u.bbox.left + u.bbox.width;
      if (x < u.bbox.left || x > right) return;
      ctx.save();
      ctx.fillStyle = bench.colour("pull");
      ctx.strokeStyle = bench.colour("surface");
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size); ctx.lineTo(x - size, y);
      ctx.closePath();
      ctx.fill();
      ctx.stroke();
      ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
      ctx.textBaseline = "middle";
      ctx.textAlign = "left";
      const width = ctx.measureText(named).width, left = x + 10 * ratio + width > right ? x - 10 * ratio - width : x + 10 * ratio;
      ctx.lineWidth = 3 * ratio;
      ctx.strokeText(named, left, y);
      ctx.fillStyle = bench.colour("pull");
      ctx.fillText(named, left, y);
      ctx.restore();
    }

    function drawChange(u, finding, x) {
      const quiet = finding.state === "ignored" || finding.state === "fixed";
      const stroke = bench.colour(quiet ? "faint" : finding.state === "blessed" ? "blessed" : tone(finding));
      const top = u.bbox.top, bottom = u.bbox.top + u.bbox.height, size = 5 * devicePixelRatio;
      line(u, x, x, [top, bottom], stroke, quiet ? 1 : 1.5, finding.provisional ? [2, 3] : [5, 3]);
      if (finding.what || x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
      const up = (finding.effect || 0) > 0 ? 1 : -1;
      u.ctx.fillStyle = stroke;
      u.ctx.beginPath();
      u.ctx.moveTo(x, top + size - up * size);
      u.ctx.lineTo(x - size, top + size + up * size);
      u.ctx.lineTo(x + size, top + size + up * size);
      u.ctx.fill();
    }

    function drawFailures(u) {
      const size = failed * devicePixelRatio * 0.8, y = u.bbox.top + u.bbox.height - 2 * size;
      u.ctx.strokeStyle = bench.colour("worse");
      u.ctx.lineWidth = 1.6 * devicePixelRatio;
      for (const at of Object.keys(series.errors)) {
        const x = u.valToPos(across[at], "x", true);
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
        u.ctx.beginPath();
        u.ctx.moveTo(x - size, y - size); u.ctx.lineTo(x + size, y + size);
        u.ctx.moveTo(x + size, y - size); u.ctx.lineTo(x - size, y + size);
        u.ctx.stroke();
      }
    }

    const pale = { stroke: "transparent", width: 0, points: { show: false } };
    const many = series.length > 400;
    const options = {
      width: Math.max(200, box.clientWidth), height, padding: [10, common.right(label(across[across.length - 1])), 0, 0], legend: { show: false },
      scales: { x: { time: false, range: (u, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) }, y: { range, distr: log ? 3 : 1 } },
      cursor: { y: false, drag: { x: true, y: false, dist: 8 }, dataIdx: (u, place, at) => at, points: { size: (u, place) => [0, 9, 0, 0, 18][place], width: (u, place) => [0, 2, 0, 0, 2][place], stroke: bench.colour("accent"), fill: (u, place) => (place === 4 ? "transparent" : bench.colour("surface")) } },
      axes: [
        common.axis({ incrs: byDate ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], space: 90, values: shown, size: 34 }),
        segments.length ? common.vertical(format, log) : common.axis({ size: 78, values: (u, values) => values.map(() => "") }),
      ],
      series: [
        {},
        { label: "median", stroke: bench.colour("thread"), width: 1, spanGaps: false, points: { show: true, size: many ? 2.5 : 4, fill: bench.colour("series"), stroke: bench.colour("series"), width: 0 } },
        { ...pale, label: "q1" }, { ...pale, label: "q3" }, { ...pale, label: "pull request" },
      ],
      bands: [{ series: [3, 2], fill: bench.colour("band") }],
      hooks: {
        draw: [drawLevels],
        setCursor: [(u) => { if (u.cursor.event && u.cursor.idx !== null && u.cursor.idx !== undefined && u.cursor.left >= 0) onSelect(u.cursor.idx); }],
        setScale: [(u, key) => { if (key === "x") onZoom(common.seen(u, across)); }],
        ready: [() => performance.mark("bench-chart")],
      },
    };
    const drawn = [series.median, series.q1, series.q3].map((values) => bench.pulls.own(series, values));
    const plot = new uPlot(options, [across, ...drawn, bench.pulls.alone(series, series.median)], box);
    plot.over.addEventListener("click", () => onPin());
    return common.handle(plot, across, box, height);
  }

  return { chart, levels, tone };
})();
