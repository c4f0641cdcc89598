"use strict";
/* The frontier of two metrics: the configurations that no other of their group is better than in both, on a chart and as a table. */
(() => {
  const { el, quantity } = bench, form = document.getElementById("view"), $ = (id) => document.getElementById(id);
  const { axes, groups, tags, first, by, missing } = bench.held.get("frontier");
  const columns = { dut_name: "device", test_bed_name: "test bed", suite: "suite", benchmark_name: "benchmark", dut_version: "version", commit: "commit" };
  const names = axes.map(([metric, units, direction], i) => {
    const same = axes.filter((one) => one[0] === metric);
    return { id: same.length > 1 ? axes[i].join(" ") : metric, title: same.length > 1 ? `${metric} (${units}, ${quantity.better[direction]})` : metric };
  });
  let points = [], lines = [], plot = null, turns = 0, marked = null, order = { key: "group", descending: false };

  const grid = bench.grid($("grid"), { name: "Points", sorted: order, columns: [
    { key: "name", title: "Benchmark and tags", sort: (one) => one.label, cell: (one) => el("a", { href: `benchmark.html#s=${one.key}`, title: one.label.slice(0, 500) }, el("bdi", {}, one.label)) },
    { key: "group", title: "Group", sort: (one) => one.line, cell: (one) => [swatch(one.line), " ", el("bdi", { title: lines[one.line].name }, lines[one.line].name)] },
    { key: "x", title: el("bdi", { id: "head-x" }), class: "num", sort: (one) => one.x, cell: (one) => quantity.text(one.x, axes[form.x.value][1]) },
    { key: "y", title: el("bdi", { id: "head-y" }), class: "num", sort: (one) => one.y, cell: (one) => quantity.text(one.y, axes[form.y.value][1]) },
    { key: "front", title: "Front", sort: (one) => Number(!one.front), cell: (one) => (one.front ? "on it" : "–") },
    { key: "commit", title: "At commit", class: "wide", sort: (one) => one.time, cell: (one) => bench.data.commitLink(one.commit || "") },
  ], onSort: (key) => {
    order = { key, descending: order.key === key && !order.descending };
    grid.mark(key, order.descending);
    list();
  } });

  function swatch(line) {
    const node = el("span", { class: "swatch" }, String(line + 1));
    node.style.color = `var(--line-${line % 8 + 1})`;
    return node;
  }

  /* The configurations of a document with both metrics, and how many have none because of a failure or of different builds. */
  function both(part, x, y) {
    const at = (axis) => part.axes.findIndex((one) => one.every((text, i) => text === axes[axis][i]));
    const [across, up] = [at(x), at(y)], value = new Float64Array(bench.data.bytes(part.value)), key = new BigUint64Array(bench.data.bytes(part.key));
    const found = [], left = { failed: 0, "of different builds": 0 };
    let start = 0;
    part.count.forEach((count, i) => {
      const result = (axis) => { for (let j = start; j < start + count; j += 1) if (part.axis[j] === axis) return j; return -1; };
      const [one, other] = [result(across), result(up)];
      start += count;
      if (one < 0 || other < 0) return;
      if (!Number.isFinite(value[one]) || !Number.isFinite(value[other])) { left.failed += 1; return; }
      if (part.build[one] !== part.build[other]) { left["of different builds"] += 1; return; }
      const [commit, version, time] = part.builds[part.build[one]], [dut, bed, suite] = part.group;
      const own = { dut_name: dut, test_bed_name: bed, suite, benchmark_name: part.names[part.name[i]], dut_version: version, commit };
      const tagged = new Map(part.tags[part.tag[i]]);
      found.push({
        x: value[one], y: value[other], key: key[one].toString(16).padStart(16, "0"), commit, time,
        of: (name) => (Object.hasOwn(own, name) ? own[name] : tagged.get(name)) ?? null,
        label: "", suite, name: own.benchmark_name, tagged,
      });
    });
    return { found, left };
  }

  /* Marks the points of a group that no other dominates. `costs` are the signs that make less better; equal points are on the front together. */
  function markFront(group, costs) {
    const cost = (one) => [one.x * costs[0] + 0, one.y * costs[1] + 0];
    const ordered = group.map((one) => [...cost(one), one]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let before = Infinity, at = null;  // the best y of a better x, and the best point of this x
    for (const [x, y, one] of ordered) {
      if (!at || x !== at[0]) { before = Math.min(before, at ? at[1] : Infinity); at = [x, y]; }
      one.front = y === at[1] && y < before;
    }
  }

  const steps = 24;  // of the curve between two points of a front

  /* Returns the points of the curve through a front, which is sorted: the cubics of Steffen from which `frontier --at` reads values. */
  function curve(front, isLog) {
    const knots = front.filter((one, i) => !i || one.x !== front[i - 1].x);
    const widths = knots.slice(1).map((one, i) => one.x - knots[i].x), secants = widths.map((width, i) => (knots[i + 1].y - knots[i].y) / width);
    const end = (width, secant, nextWidth, nextSecant) => {
      if (nextWidth === undefined) return secant;
      const share = width / (width + nextWidth), parabola = secant * (1 + share) - nextSecant * share;
      return parabola * secant <= 0 ? 0 : Math.abs(parabola) > 2 * Math.abs(secant) ? 2 * secant : parabola;
    };
    const inner = (i) => {
      const [secant, next] = [secants[i - 1], secants[i]], parabola = (secant * widths[i] + next * widths[i - 1]) / (widths[i - 1] + widths[i]);
      return (Math.sign(secant) + Math.sign(next)) * Math.min(Math.abs(secant), Math.abs(next), Math.abs(parabola) / 2);
    };
    const last = widths.length - 1;
    const slopes = knots.map((_, i) => (i === 0 ? end(widths[0], secants[0], widths[1], secants[1]) : i > last ? end(widths[last], secants[last], widths[last - 1], secants[last - 1]) : inner(i)));
    return knots.slice(0, 1).concat(widths.flatMap((width, i) => {
      const [from, to] = [knots[i], knots[i + 1]], secant = secants[i], [slope, after] = [slopes[i], slopes[i + 1]];
      const third = (slope + after - 2 * secant) / width ** 2, second = (3 * secant - 2 * slope - after) / width;
      return Array.from({ length: steps }, (_, k) => {
        const share = (k + 1) / steps, x = share === 1 ? to.x : isLog ? from.x * (to.x / from.x) ** share : from.x + share * width, step = x - from.x;
        const y = ((third * step + second) * step + slope) * step + from.y;
        return { x, y: share === 1 ? to.y : Math.min(Math.max(y, Math.min(from.y, to.y)), Math.max(from.y, to.y)) };
      });
    }));
  }

  function chosenParts() { return [...form.querySelectorAll("#parts input:checked")].map((input) => input.value); }

  async function show() {
    const turn = turns += 1, x = Number(form.x.value), y = Number(form.y.value);
    let read;
    try {
      const parts = await Promise.all(groups.filter(([, has]) => has.includes(x) && has.includes(y)).map(([path]) => bench.data.load(path)));
      if (turn !== turns) return;
      read = parts.map((part) => both(part, x, y));
    } catch (error) { $("status").textContent = error.message; return; }
    points = read.flatMap(({ found }) => found);
    const parts = offer(), costs = [x, y].map((axis) => (axes[axis][2] === "lower" ? 1 : -1));
    // texts as JSON: no text ends another one, and a tag that is absent is no text
    const grouped = Map.groupBy(points, (one) => JSON.stringify(parts.map(one.of)));
    const named = (key) => JSON.parse(key).map((text) => text ?? "–").join(" · ") || "all points";
    const keys = [...grouped.keys()].sort();
    lines = keys.map((key, i) => ({ name: named(key), on: i < bench.lines.most, points: grouped.get(key) }));
    lines.forEach((line, i) => { markFront(line.points, costs); line.points.forEach((one) => { one.line = i; }); });
    label(parts);
    marked = null;
    say(x, y, parts, read);
    remember(parts);
    draw();
    list();
  }

  /* Names each point by what its group does not say of it. */
  function label(parts) {
    const several = !parts.includes("suite") && new Set(points.map((one) => one.suite)).size > 1;
    for (const one of points) {
      const own = [...one.tagged].filter(([tag]) => !parts.includes(tag)).map((pair) => pair.join("="));
      one.label = [several && one.suite ? `${one.suite} › ` : "", one.name, own.length ? ` [${own.join(", ")}]` : ""].join("");
    }
  }

  function say(x, y, parts, read) {
    const onFront = points.filter((one) => one.front).length;
    const left = ["failed", "of different builds"].map((reason) => [read.reduce((sum, one) => sum + one.left[reason], 0), reason]).filter(([count]) => count);
    const mixed = ["dut_name", "test_bed_name"].filter((part) => !parts.includes(part)).map((part) => [Math.max(0, ...lines.map((line) => new Set(line.points.map((one) => one.of(part))).size)), part]).filter(([count]) => count > 1);
    $("status").textContent = !points.length ? ["No configuration has results of both metrics of one build", ...left.map((pair) => pair.join(" "))].join("; ") + "." : [
      `${onFront.toLocaleString("en")} of ${points.length.toLocaleString("en")} points are on the front of their group: ${[x, y].map((axis) => `${axes[axis][0]} ${quantity.better[axes[axis][2]]}`).join(", ")}.`,
      left.length ? `Left out: ${left.map((pair) => pair.join(" ")).join(", ")}.` : "",
      ...mixed.map(([count, part]) => `A group has points of ${count} ${columns[part]}s.`),
    ].filter(Boolean).join(" ");
    $("body").hidden = !points.length;
    $("head-x").textContent = axes[x][0];
    $("head-y").textContent = $("up").textContent = axes[y][0];
  }

  /* Offers the parts that differ between points, beside the chosen ones; returns the chosen ones. */
  function offer() {
    const chosen = chosenParts(), every = [...Object.keys(columns), ...tags];
    for (const label of $("parts").querySelectorAll("label")) {
      const { value } = label.querySelector("input");
      label.hidden = !chosen.includes(value) && new Set(points.map((one) => one.of(value))).size < 2;
    }
    return every.filter((part) => chosen.includes(part));
  }

  function remember(parts) {
    const same = parts.length === by.length && by.every((part) => parts.includes(part));
    const isFirst = Number(form.x.value) === first[0] && Number(form.y.value) === first[1];
    bench.remember({ x: isFirst ? "" : names[form.x.value].id, y: isFirst ? "" : names[form.y.value].id, by: same ? "" : JSON.stringify(parts), log: form.log.checked ? "1" : "", front: form.front.checked ? "1" : "" });
  }

  /* The points of the table, in its order. */
  function listed() {
    const column = { name: (one) => one.label, group: (one) => one.line, x: (one) => one.x, y: (one) => one.y, front: (one) => Number(!one.front), commit: (one) => one.time }[order.key];
    const way = order.descending ? -1 : 1;
    return points.filter((one) => one.front || !form.front.checked).sort((a, b) => {
      const [p, q] = [column(a), column(b)];
      return p < q ? -way : p > q ? way : a.line - b.line || a.x - b.x || a.y - b.y;
    });
  }

  function list() { rows = listed(); grid.show(rows); }
  let rows = [];

  function draw() {
    plot?.destroy();
    plot = null;
    if (!points.length) return;
    plot = chart();
    bench.lines.legend($("legend"), lines.slice(0, bench.lines.listed), { left: Math.max(0, lines.length - bench.lines.listed), onToggle: () => plot.redraw() });
    $("legend").hidden = lines.length < 2;
  }

  function chart() {
    const { plot: common } = bench, [x, y] = [form.x.value, form.y.value].map((axis) => axes[axis]);
    const drawn = [...points].sort((a, b) => a.x - b.x || a.y - b.y), ends = (name) => [Math.min(...drawn.map((one) => one[name])), Math.max(...drawn.map((one) => one[name]))];
    const log = (name) => form.log.checked && ends(name)[0] > 0;
    const [logAcross, logUp] = [log("x"), log("y")], range = (name, isLog) => () => common.around(...ends(name), { log: isLog });
    const shown = bench.plot.format("units", y[1], logUp), across = bench.plot.format("units", x[1], logAcross);
    const isSeen = (one) => lines[one.line].on && (one.front || !form.front.checked);

    function place(u, one) { return [u.valToPos(one.x, "x", true), u.valToPos(one.y, "y", true)]; }

    function dot(u, one, size) {
      u.ctx.beginPath();
      u.ctx.arc(...place(u, one), size * devicePixelRatio, 0, 2 * Math.PI);
    }

    function drawGroups(u) {
      const context = u.ctx, ratio = devicePixelRatio;
      context.save();
      lines.forEach((line, i) => {
        if (!line.on) return;
        const colour = bench.colour(`line-${i % 8 + 1}`), front = line.points.filter((one) => one.front).sort((a, b) => a.x - b.x || a.y - b.y);
        context.strokeStyle = context.fillStyle = colour;
        context.lineWidth = 1.6 * ratio;
        context.beginPath();
        curve(front, logAcross).forEach((one, place_) => context[place_ ? "lineTo" : "moveTo"](...place(u, one)));
        context.stroke();
        for (const one of line.points.filter(isSeen)) {
          dot(u, one, one.front ? 4 : 2.5);
          context.globalAlpha = one.front ? 1 : 0.55;
          context.fill();
          context.globalAlpha = 1;
        }
        if (lines.length < 2 || !front.length) return;
        const [left, top] = place(u, front[front.length - 1]);
        context.font = `600 ${11 * ratio}px system-ui, sans-serif`;
        context.textBaseline = "middle";
        context.textAlign = "left";
        context.fillText(String(i + 1), left + 7 * ratio, top);
      });
      if (marked && isSeen(marked)) {
        context.strokeStyle = bench.colour("ink");
        context.lineWidth = 2 * ratio;
        dot(u, marked, 7);
        context.stroke();
      }
      context.restore();
    }

    /* The point that is nearest to the pointer on the screen. */
    function nearest(u) {
      const { left, top } = u.cursor;
      if (!u.cursor.event || left < 0) return;
      const away = (one) => Math.hypot(u.valToPos(one.x, "x") - left, u.valToPos(one.y, "y") - top);
      const seen = drawn.filter(isSeen);
      if (seen.length) mark(seen.reduce((best, one) => (away(one) < away(best) ? one : best)));
    }

    const box = $("plot"), ticks = logAcross ? { splits: (u, at, low, high) => common.splits(low, high), filter: (u, values) => values } : {};
    return new uPlot({
      width: Math.max(200, box.clientWidth), height: common.tall(460, 0.5), padding: [12, 30, 0, 0], legend: { show: false },
      scales: { x: { time: false, distr: logAcross ? 3 : 1, range: range("x", logAcross) }, y: { distr: logUp ? 3 : 1, range: range("y", logUp) } },
      cursor: { x: false, y: false, drag: { x: false, y: false }, points: { show: false } },
      axes: [
        common.axis({ space: 90, size: 34, label: x[0], labelSize: 20, labelGap: 0, labelFont: "12px system-ui, sans-serif", values: (u, values) => (values.length ? across.ticks(values) : []), ...ticks }),
        common.vertical(shown, logUp),
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: { draw: [drawGroups], setCursor: [nearest], ready: [() => performance.mark("bench-chart")] },
    }, [drawn.map((one) => one.x), drawn.map((one) => one.y)], box);
  }

  function mark(one) {
    if (one === marked) return;
    marked = one;
    const [x, y] = [form.x.value, form.y.value].map((axis) => axes[axis]);
    $("values").replaceChildren(...(one ? [swatch(one.line), " ", el("bdi", {}, one.label), `: ${x[0]} ${quantity.text(one.x, x[1])}, ${y[0]} ${quantity.text(one.y, y[1])}`] : []));
    plot?.redraw(false);
  }

  function markRow(event) {
    const row = event.target.closest(".row");
    if (row) mark(rows[Number(row.getAttribute("aria-rowindex")) - 2]);
  }

  function start() {
    const given = bench.state(), place = (name, other) => { const found = names.findIndex(({ id }) => id === given.get(name)); return found < 0 ? other : found; };
    for (const [i, name] of ["x", "y"].entries()) {
      form[name].replaceChildren(...names.map(({ title }, value) => el("option", { value }, title)));
      form[name].value = String(place(name, first[i]));
    }
    let chosen = by;
    try { chosen = given.has("by") ? JSON.parse(given.get("by")) : by; } catch { /* an address that somebody has cut */ }
    for (const [value, title] of [...Object.entries(columns), ...tags.map((tag) => [tag, tag])]) {
      $("parts").append(el("label", {}, el("input", { type: "checkbox", name: "by", value, checked: Array.isArray(chosen) && chosen.includes(value) }), el("bdi", {}, title)));
    }
    const known = new Set([...Object.keys(columns), ...tags]), isList = Array.isArray(chosen) && chosen.every((part) => known.has(part));
    bench.unknown([...["x", "y"].map((name) => [name, names.some(({ id }) => id === given.get(name)) ? "" : given.get(name)]), ["by", isList && chosen !== by || !given.has("by") ? "" : given.get("by")]]);
    form.log.checked = given.get("log") === "1";
    form.front.checked = given.get("front") === "1";
    if (missing.length) $("missing").replaceChildren(el("p", { class: "notice" }, "bench-db.toml names what no result here has: ", missing.map((name, i) => [i ? ", " : "", el("code", {}, name)])));
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", () => location.reload());
    $("grid").addEventListener("focusin", markRow);
    $("grid").addEventListener("pointerover", markRow);
    bench.onTheme(() => plot?.redraw());
    new ResizeObserver(() => plot?.setSize({ width: Math.max(200, $("plot").clientWidth), height: plot.height })).observe($("plot"));
    show();
  }

  bench.frontier = { curve, steps };
  start();
})();
