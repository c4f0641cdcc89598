"use strict";
/* One series: what it is, its history alone or beside its relatives, the point under the pointer or chosen by keys, its findings, and every point as a table. */
(() => {
  const { el, quantity } = bench;
  const $ = (id) => document.getElementById(id);
  const form = $("view");
  const { most, listed } = bench.lines;
  let all = null, around = null, showing = "", here = -1, series = null, strips = null, plot = null, at = 0, pinned = false, named = false;
  let family = null, several = null, zoom = null, turns = 0;
  let charted = null, pulled = "";  // the series as the chart has it, and the pull request whose points are among its own

  function facet(name, place) { return all.facets[name][all[name][place]]; }

  /* An address of this page; the way of looking at a series goes along with a reader. */
  function address(place, rest = {}) {
    const view = { s: typeof place === "string" ? place : all.key[place], x: form.across.value === "date" ? "date" : "", y: ["zero", "log"].includes(form.up.value) ? form.up.value : "", pr: form.pr.value, ...rest };
    return `#${new URLSearchParams(Object.entries(view).filter(([, value]) => value))}`;
  }

  function link(place, text) { return el("a", { href: address(place) }, el("bdi", {}, text)); }

  async function open() {
    const key = bench.state().get("s");
    const turn = turns += 1;
    let found = null;
    try { found = await bench.data.find(key || ""); } catch (error) { fail(error.message); return; }
    if (turn !== turns) return;
    if (!found) { fail(key ? "This series is no longer in the store, or never was." : "No series chosen."); return; }
    if (key !== showing) {
      const place = found.all.key.indexOf(key);
      let shard = null;
      try { shard = await bench.data.shard(found.all.files[found.all.file[place]]); } catch (error) { fail(error.message); return; }
      if (turn !== turns) return;
      [all, around, showing, here] = [found.all, found, key, place];
      series = bench.data.series(shard, key);
      [charted, pulled] = [bench.pulls.joined(series, []), ""];
      head();
      strips = null;
      family = bench.family.of(all, here);
      $("body").hidden = false;
      choices();
      about();
      findings();
      others();
      bench.scaling(all, family, here, series);
      $("table").replaceChildren();
      $("points").open = false;
      loadSamples(key);
    }
    const missed = restore();
    const wanted = bench.state().get("p"), held = bench.state().get("c");
    named = held !== null || wanted !== null;
    pinned = false;
    several = null;
    steps();
    const isPoint = /^\d+$/.test(wanted ?? "") && Number(wanted) < series.length;
    await draw(held, isPoint ? Number(wanted) : series.length - 1);
    const drawn = several ? several.builds.map(({ commit }) => commit) : charted.commit;
    bench.unknown([...missed, ["commit", drawn.includes(held) ? "" : held], ["point", isPoint ? "" : wanted]]);
    if (location.hash.includes("over=")) $("scaling").scrollIntoView();
  }

  /* What a reader may choose for this series: the lines, what they are relative to, and the commit. */
  function choices() {
    const branches = new Set(series.branch).size;
    const dimensions = [...family.dimensions, branches > 1 && { name: "branch", title: "branch", count: branches }].filter(Boolean);
    const plural = (word) => ({ branch: "branches" }[word] || `${word}s`);
    form.by.replaceChildren(el("option", { value: "" }, "this series"), ...dimensions.map(({ name, title, count }) => el("option", { value: name }, name.startsWith("tag:") ? `${count} values of ${title}` : `${count} ${plural(title)}`)));
    $("lines").hidden = !dimensions.length;
    const near = dimensions.flatMap(({ name }) => (name === "branch" ? [] : bench.family.along(family.mine, family.members, name).filter((one) => one.place !== here).map((one) => [one.place, bench.family.value(one, name)])));
    form.to.replaceChildren(...near.map(([place, text]) => el("option", { value: all.key[place] }, text)));
    const ratio = [...form.up].find((input) => input.value === "ratio");
    ratio.disabled = !near.length;
    const commits = [...new Set(series.commit)].filter(Boolean);
    form.base.replaceChildren(...commits.map((commit) => el("option", { value: commit }, `${commit.slice(0, quantity.rule("sha_length"))} · ${quantity.date(series.time[series.commit.indexOf(commit)])}`)));
    [...form.up].find((input) => input.value === "relative").disabled = !commits.length;
  }

  /* The form and the stretch in sight, as the address has them. */
  function restore() {
    const given = bench.state(), missed = [];
    const choose = (input, value, otherwise) => {
      const options = input instanceof RadioNodeList ? [...input].filter((one) => !one.disabled) : [...input.options];
      const found = options.find((option) => option.value === value);
      input.value = found ? value : otherwise;
      return Boolean(found);
    };
    const fields = [["x", form.across, "commit"], ["y", form.up, "fit"], ["by", form.by, ""], ["base", form.base, form.base.options[0]?.value ?? ""], ["to", form.to, form.to.options[0]?.value ?? ""]];
    for (const [name, input, otherwise] of fields) if (!choose(input, given.get(name), otherwise)) missed.push([name, given.get(name)]);
    const numbers = bench.pulls.known().map(([number]) => String(number)), asked = given.get("pr") || "";
    if (/^\d+$/.test(asked) && !numbers.includes(asked)) numbers.unshift(asked);
    $("pulls").hidden = !numbers.length;
    form.pr.replaceChildren(el("option", { value: "" }, "none"), ...numbers.map((number) => el("option", { value: number }, `#${number}`)));
    choose(form.pr, asked, "");
    zoom = /^\d+-\d+$/.test(given.get("z") || "") ? given.get("z").split("-").map(Number) : null;
    return missed;
  }

  async function loadSamples(key) {
    const url = all.files[all.file[here]][1];
    if (!url) return;
    const content = await bench.data.load(url).catch(() => null);
    if (content && all.key[here] === key) { strips = content.series[key] || null; panel(); }
  }

  function fail(message) {
    showing = "";
    bench.unknown([]);
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
  }

  function steps() {
    $("previous").replaceChildren(around.before ? link(around.before, "← previous series") : "");
    $("next").replaceChildren(around.after ? link(around.after, "next series →") : "");
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
      tiles.push(tile("Smallest visible change", quantity.share(noise[1]), noise[3] ? `${noise[3]} ${noise[3] === 1 ? "run" : "runs"} needed` : ""));
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

  const dated = (times) => times.every(Boolean) && times[0] < times[times.length - 1];

  /* Draws the chart anew. `place` of the series is selected, or `commit`, or else what was, and the point of a pull request that is new. */
  async function draw(commit = null, place = null) {
    const turn = turns += 1, lines = form.by.value ? members(form.by.value) : [];
    const other = form.up.value === "ratio" && form.to.value ? all.key.indexOf(form.to.value) : -1;
    $("to").hidden = form.up.value !== "ratio";
    $("base").hidden = form.up.value !== "relative";
    $("single").hidden = lines.length > 1;
    $("legend").hidden = lines.length < 2;
    let histories, reference = null, points = null;
    try {
      histories = await Promise.all(lines.map((line) => (line.on ? history(line) : { commit: [], version: [], time: [], median: [] })));
      if (other >= 0) reference = await history({ place: other });
      points = lines.length > 1 || !form.pr.value ? [] : await bench.pulls.of(form.pr.value, all.key[here]);
    } catch (error) { fail(error.message); return; }
    if (turn !== turns) return;
    const before = several ? several.builds[at] : null, earlier = charted && !several ? { main: charted.main[at], commit: charted.commit[at] } : null;
    charted = bench.pulls.joined(series, points || []);
    ofPull(points, lines.length > 1);
    const fresh = pulled !== form.pr.value && points?.length > 0;
    pulled = form.pr.value;
    several = lines.length > 1 ? together(lines, histories, reference) : null;
    const times = several ? several.builds.map((build) => build.time) : charted.time;
    for (const input of form.across) input.disabled = input.value === "date" && !dated(times);
    if (!dated(times)) form.across.value = "commit";
    const near = zoom && stretch(times);
    plot?.destroy();
    plot = several ? drawLines(times) : drawAlone(reference);
    if (near) plot.zoom(...near);
    $("plot").setAttribute("aria-valuemax", times.length - 1);
    for (const node of document.querySelectorAll("[data-when]")) node.hidden = !has(node.dataset.when);
    const wanted = commit || before?.commit;
    const own = place ?? earlier?.main ?? series.length - 1;
    if (several) { const same = several.builds.findIndex((build) => (wanted ? build.commit === wanted : build.commit === series.commit[own] && build.time === series.time[own])); at = same < 0 ? several.builds.length - 1 : same; }
    else if (wanted && charted.commit.includes(wanted)) at = charted.commit.indexOf(wanted);
    else if (fresh && !(named && place !== null)) at = charted.main.lastIndexOf(-1);
    else at = own < 0 ? charted.commit.indexOf(earlier.commit) : charted.main.indexOf(own);
    select(at < 0 ? charted.length - 1 : at, true);
  }

  /* Says where the points of the pull request that was asked for are not. */
  function ofPull(points, among) {
    const number = form.pr.value;
    $("pull-name").textContent = `pull request ${number}`;
    const text = points === null ? `Pull request ${number} is not on this site. It shows the ${quantity.rule("site_pull_requests")} that were measured last when it was written.`
      : number && among ? "The points of a pull request are on the chart of this series alone." : number && !points.length ? `Pull request ${number} has no result of this series.` : "";
    $("pull-said").textContent = text;
    $("pull-said").hidden = !text;
  }

  /* The lines of a dimension: their names, whether they are drawn, and where they are. */
  function members(name) {
    const off = (bench.state().get("off") || "").split(",").filter(Boolean), on = bench.state().get("on");
    const found = name === "branch"
      ? [...new Set(series.branch)].sort().map((branch) => ({ place: here, branch, name: branch || "no branch", id: branch }))
      : bench.family.along(family.mine, family.members, name).map((one) => ({ place: one.place, name: bench.family.value(one, name), id: all.key[one.place] }));
    const shown = found.filter((one, i) => i < listed || one.place === here);
    return shown.map((one, i) => ({ ...one, left: found.length - shown.length, on: (i < most || one.place === here || (on || "").split(",").includes(one.id)) && !off.includes(one.id) }));
  }

  async function history({ place, branch }) {
    const one = place === here ? series : bench.data.series(await bench.data.shard(all.files[all.file[place]]), all.key[place]);
    if (branch === undefined) return one;
    const kept = one.branch.map((text, i) => i).filter((i) => one.branch[i] === branch);
    return Object.fromEntries(["commit", "version", "time", "median"].map((name) => [name, kept.map((i) => one[name][i])]));
  }

  function together(lines, histories, reference) {
    const joined = bench.lines.together(reference ? [...histories, reference] : histories), up = form.up.value;
    const base = joined.builds.findIndex((build) => build.commit === form.base.value);
    const values = lines.map((_, i) => {
      const known = joined.values[i];
      if (up === "relative") return bench.lines.relative(known, Math.max(0, base));
      if (up === "ratio" && reference) return bench.lines.ratio(known, joined.values[lines.length]);
      return up === "log" ? bench.lines.positive(known) : known;
    });
    return { builds: joined.builds, lines: lines.map((line, i) => ({ ...line, values: values[i] })) };
  }

  function shownAs() { return bench.plot.format({ relative: "percent", ratio: "ratio" }[form.up.value] || "units", facet("units", here), form.up.value === "log"); }

  function ways(commits, times) {
    return {
      shown: shownAs(), fromZero: form.up.value === "zero", log: form.up.value === "log", marks: marked(commits, times),
      onSelect: (place) => { if (!pinned) { named = false; select(place, false); } },
      onPin: () => { pinned = !pinned; panel(); keep(); },
      onZoom: (ends) => { zoom = ends && inTime(ends, times); if (location.hash) keep(); },
    };
  }

  function marked(commits, times) {
    const marks = bench.plot.marks(commits, times, facet("dut", here), facet("bed", here));
    $("notes").hidden = !marks.placed.length;
    $("notes").replaceChildren(...marks.placed.map((one) => el("li", {}, bench.data.commitLink(one.commit), " ", el("bdi", {}, one.text))));
    return marks;
  }

  function drawAlone(reference) {
    const up = form.up.value, first = Math.max(0, series.commit.indexOf(form.base.value));
    const known = (series.median.slice(0, first + 1).findLast((value) => value !== null)) ?? series.median.find((value) => value !== null);
    const others = reference && bench.lines.together([series, reference]);
    const other = reference && new Map(others.builds.map((build, i) => [`${build.time} ${build.commit} ${build.version}`, others.values[1][i]]));
    const divisor = (i) => other.get(`${charted.time[i]} ${charted.commit[i]} ${charted.version[i]}`);
    const change = {
      relative: (value) => (known ? (value - known) / Math.abs(known) : null), log: (value) => (value > 0 ? value : null),
      ratio: (value, i) => (other && divisor(i) ? value / divisor(i) : null),
    }[up] || ((value) => value);
    const mapped = (values) => values.map((value, i) => (value === null ? null : change(value, i)));
    const changed = { ...charted, median: mapped(charted.median), q1: mapped(charted.q1), q3: mapped(charted.q3) };
    return bench.chart.chart($("plot"), changed, { named: `#${form.pr.value}`, byDate: form.across.value === "date", ...ways(charted.commit, charted.time) });
  }

  function drawLines(times) {
    const byDate = form.across.value === "date";
    const across = byDate ? times : times.map((_, i) => i);
    const day = new Set(times.filter(Boolean).map((seconds) => new Date(seconds * 1000).getUTCFullYear())).size > 1 ? quantity.date : quantity.shortDate;
    const ticks = (values) => values.map((value) => (byDate ? day(value) : Number.isInteger(value) && value in times ? day(times[value]) : ""));
    const drawn = bench.lines.chart($("plot"), across, several.lines, { ticks, ...ways(several.builds.map((build) => build.commit), times) });
    several.tell = bench.lines.legend($("legend"), several.lines, {
      left: several.lines[0].left,
      onToggle: async (line) => {
        keep();
        if (several.lines[line].values.some((value) => value !== null)) { drawn.toggle(line); panel(); return; }
        await draw();  // its history is read now
        $("legend").querySelectorAll("button")[line]?.focus();
      },
      link: (line) => (line.branch === undefined && line.place !== here ? el("a", { href: address(line.place), "aria-label": `history of ${line.name}` }, "history") : el("span", {})),
    });
    return drawn;
  }

  /* Where a stretch of time begins and ends on the chart, and back. */
  function stretch(times) {
    if (form.across.value === "date") return zoom;
    const [from, to] = [times.findIndex((time) => time >= zoom[0]), times.findLastIndex((time) => time <= zoom[1])];
    return from >= 0 && to > from ? [from, to] : null;
  }

  function inTime([low, high], times) {
    if (form.across.value === "date") return [Math.floor(low), Math.ceil(high)];
    return dated(times) ? [times[Math.ceil(low)], times[Math.floor(high)]] : null;
  }

  function has(what) {
    return {
      band: series.q1.some((value, i) => value !== null && value !== series.q3[i]), failed: Object.keys(series.errors).length > 0,
      worse: series.findings.some((finding) => finding.worse === true), better: series.findings.some((finding) => finding.worse === false),
      blessed: series.findings.some((finding) => finding.state === "blessed"), pull: charted.main.includes(-1),
    }[what];
  }

  function select(place, byKey) {
    at = Math.max(0, Math.min((several ? several.builds.length : charted.length) - 1, place));
    if (byKey) { plot.point(at); }
    panel();
  }

  function panel() {
    if (!series) return;
    $("pinned").hidden = !pinned;
    if (several) panelOfLines(); else panelOfPoint();
  }

  function panelOfLines() {
    const build = several.builds[at], shown = shownAs();
    const texts = several.lines.map((line) => shown.text(line.values[at]));
    several.tell(several.lines.map((line, i) => (line.on ? texts[i] : "")));
    rowsOf([["Commit", bench.data.commitLink(build.commit)], ["Committed", `${quantity.moment(build.time)} UTC`], ["Version", el("bdi", {}, build.version)]]);
    const spoken = several.lines.flatMap((line, i) => (line.on ? [`${line.name} ${texts[i]}`] : [])).join(", ");
    said(`Point ${at + 1} of ${several.builds.length}, ${quantity.date(build.time)}, commit ${build.commit.slice(0, quantity.rule("sha_length"))}, ${spoken}`);
    $("strip").hidden = true;
    $("compare").replaceChildren(build.commit ? el("a", { href: `commit.html#${new URLSearchParams({ commit: build.commit })}` }, "What this commit did") : "");
  }

  function rowsOf(rows) { $("values").replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])); }

  function said(text) {
    $("plot").setAttribute("aria-valuenow", at);
    $("plot").setAttribute("aria-valuetext", text);
  }

  function panelOfPoint() {
    const units = facet("units", here), error = charted.errors[at];
    const before = previous(at), median = charted.median[at], isPulled = charted.main[at] < 0;
    const level = isPulled ? bench.chart.levels(charted).findLast((one) => one.from <= at) : null;
    const rows = [
      ["Commit", el("span", {}, bench.data.commitLink(charted.commit[at]), " ", el("span", { class: "quiet" }, charted.branch[at]))],
      ["Committed", `${quantity.moment(charted.time[at])} UTC`],
      ["Version", el("bdi", {}, charted.version[at])],
      error === undefined ? ["Median", el("strong", {}, quantity.text(median, units))] : ["Failed", el("span", { class: "worse" }, error)],
      charted.q1[at] !== null && ["Middle half", `${quantity.text(charted.q1[at], units)} to ${quantity.text(charted.q3[at], units)}`],
      charted.lower && charted.lower[at] !== null && ["Interval", `${quantity.text(charted.lower[at], units)} to ${quantity.text(charted.upper[at], units)}`],
      ["Samples", charted.n[at].toLocaleString("en")],
      level && median !== null && ["Against the level", quantity.percent((median - level.at) / Math.abs(level.at))],
      !isPulled && before !== null && median !== null && ["Since the point before", quantity.percent((median - charted.median[before]) / Math.abs(charted.median[before]))],
    ].filter(Boolean);
    rowsOf(rows);
    const spoken = `Point ${at + 1} of ${charted.length}, ${isPulled ? `${charted.branch[at]}, ` : ""}${quantity.date(charted.time[at])}, commit ${charted.commit[at].slice(0, quantity.rule("sha_length"))}, ${error === undefined ? quantity.text(median, units) : "failed"}`;
    said(spoken);
    strip(units, before);
  }

  /* The series, the way it is looked at and a point that is held, in the address. */
  function keep() {
    const up = form.up.value, isHeld = pinned || named, own = charted.main[at], names = (wanted) => several.lines.filter((line, i) => wanted(line, i < most || line.place === here)).map((line) => line.id).join(",");
    bench.remember({
      s: all.key[here], by: form.by.value, x: form.across.value === "date" ? "date" : "", y: up === "fit" ? "" : up,
      base: up === "relative" ? form.base.value : "", to: up === "ratio" ? form.to.value : "", z: zoom ? zoom.join("-") : "",
      off: several ? names((line, first) => first && !line.on) : "", on: several ? names((line, first) => !first && line.on) : "",
      ...bench.scaling.state(), pr: form.pr.value,
      c: !isHeld ? "" : several ? several.builds[at].commit : own < 0 ? charted.commit[at] : "", p: isHeld && !several && own >= 0 ? String(own) : "",
    });
  }

  /* After a link on the page: the same link of the next series, or the beginning of what is new. */
  async function follow() {
    const before = showing, from = document.activeElement, step = from.parentElement?.id;
    await open();
    if (showing === before) $("view").scrollIntoView({ block: "nearest" });
    if (showing === before || (from.isConnected && from !== document.body)) return;
    const again = ["previous", "next"].includes(step) && $(step).querySelector("a");
    scrollTo(0, 0);
    (again || $("title")).focus({ preventScroll: true });
  }

  function previous(place) {
    for (let i = place - 1; i >= 0; i -= 1) if (charted.main[i] >= 0 && charted.median[i] !== null) return i;
    return null;
  }

  function strip(units, before) {
    const own = charted.main[at], held = own < 0 ? null : bench.data.samples(strips, own);
    $("strip").hidden = !held || held.low === held.high;
    if (!$("strip").hidden) {
      $("low").textContent = quantity.text(held.low, units);
      $("high").textContent = quantity.text(held.high, units);
      $("about-strip").textContent = `${held.shares.length < held.all ? `${held.shares.length} of ` : ""}${held.all} samples, in order of measuring`;
      bench.strip($("samples"), { median: charted.median[at], q1: charted.q1[at], q3: charted.q3[at] }, held);
    }
    const suitable = own >= 0 && before !== null && charted.commit[before] && charted.commit[at];
    const values = suitable && new URLSearchParams({ a: charted.commit[before], b: charted.commit[at], bed: facet("bed", here), dut: facet("dut", here), suite: facet("suite", here) });
    const commit = own >= 0 && charted.commit[at] && el("a", { href: `commit.html#${new URLSearchParams({ commit: charted.commit[at] })}` }, "What this commit did");
    $("compare").replaceChildren(...[commit, commit && suitable && " · ", suitable && el("a", { href: `compare.html#${values}` }, "Compare all series with the commit before")].filter(Boolean));
  }

  function findings() {
    $("findings").hidden = !series.findings.length;
    document.querySelectorAll("[data-common]").forEach((node) => { node.hidden = !series.findings.some((finding) => finding.common); });
    $("found").replaceChildren(...series.findings.map((finding) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#s=${all.key[here]}&p=${finding.at}` }, quantity.date(finding.time))),
      el("td", { "data-name": "Commit" }, bench.data.commitLink(finding.commit)),
      el("td", { "data-name": "Change", class: `num ${bench.chart.tone(finding)}` }, el("strong", {}, finding.what || quantity.verdict(finding.effect, bench.chart.tone(finding)))),
      el("td", { class: "num wide" }, quantity.interval(finding.low, finding.high)),
      el("td", { class: "num wide" }, quantity.probability(finding.p).replace(/^p /, "")),
      el("td", { "data-name": "State" }, finding.withdrawn ? "withdrawn" : finding.state, finding.provisional ? ", provisional" : ""),
      series.findings.some((other) => other.common) && el("td", { class: "wide" }, el("bdi", {}, finding.common || "")))));
  }

  /* The same benchmark on every test bed, and its relatives with another metric or other parameters. */
  function others() {
    const beds = bench.family.along(family.mine, family.members, "bed").map((one) => one.place);
    $("elsewhere").hidden = beds.length < 2;
    $("beside").href = address(here, { by: "bed" });
    $("beds").replaceChildren(...beds.map((i) => el("tr", {},
      el("th", { scope: "row" }, i === here ? el("bdi", { "aria-current": "true" }, facet("bed", i)) : el("a", { href: address(i) }, el("bdi", {}, facet("bed", i)))),
      el("td", { class: "wide" }, el("canvas", { "aria-hidden": "true" })),
      el("td", { "data-name": "Latest", class: "num" }, all.failing[i] ? "failed" : quantity.text(all.latest[i], facet("units", i))),
      el("td", { "data-name": "Against this", class: "num" }, i !== here && all.latest[i] && all.latest[here] ? `${Number((all.latest[i] / all.latest[here]).toPrecision(3))}×` : ""),
      el("td", { "data-name": "Change", class: "num" }, ...change(i)),
      el("td", { "data-name": "Standing" }, standing(i)))));
    [...$("beds").rows].forEach((row, place) => bench.draw.spark(row.querySelector("canvas"), all.spark[beds[place]]));
    const stem = all.label[here].split(" {")[0], relatives = new Set(family.members.map((one) => one.place)), above = new Set([here, ...beds]);
    const near = all.label.map((label, i) => i).filter((i) => !above.has(i) && (relatives.has(i) || all.label[i].split(" {")[0] === stem)).slice(0, 40);
    $("others").hidden = !near.length;
    $("near").replaceChildren(...near.map((i) => el("li", {}, link(i, all.label[i]), " ", el("span", { class: "quiet" }, facet("bed", i)))));
  }

  function change(i) {
    const kind = all.few[i] ? "quiet" : quantity.kind(all.change[i], facet("direction", i), all.noise[i], all.threshold[i], all.latest[i] / (1 + all.change[i]));
    return [el("span", { class: kind }, quantity.verdict(all.change[i], kind))];
  }

  function standing(i) {
    const words = [[all.worse[i], "worse", "worse"], [all.better[i], "better", "better"]].filter(([count]) => count > 0).map(([count, word, tone]) => el("span", { class: `badge ${tone}` }, `${count} ${word}`));
    return words.flatMap((word) => [word, " "]).concat(all.stale[i] ? el("span", { class: "badge warn" }, "stale") : []);
  }

  function fill() {
    if (!$("points").open || $("table").children.length) return;
    const units = facet("units", here);
    const rows = series.median.map((median, i) => el("tr", {},
      el("th", { scope: "row" }, bench.data.commitLink(series.commit[i])),
      el("td", {}, quantity.moment(series.time[i])), el("td", { class: "wide" }, el("bdi", {}, series.version[i])),
      el("td", { class: "num" }, i in series.errors ? `failed: ${series.errors[i].slice(0, 60)}` : quantity.text(median, units)),
      el("td", { class: "num wide" }, quantity.text(series.q1[i], units)), el("td", { class: "num wide" }, quantity.text(series.q3[i], units)),
      el("td", { class: "num" }, series.n[i].toLocaleString("en"))));
    $("table").replaceChildren(...rows.reverse());
  }

  const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e9, End: 1e9 };
  $("plot").addEventListener("keydown", (event) => {
    if (event.key in keys) { pinned = true; select(at + keys[event.key], true); } else if (event.key === "Enter" || event.key === " ") { pinned = !pinned; panel(); } else if (event.key === "Escape") { pinned = false; plot.all(); panel(); } else if (event.key === "+" || event.key === "-") plot.closer(at, event.key === "+" ? 0.5 : 2); else return;
    event.preventDefault();
  });
  $("plot").addEventListener("keyup", (event) => { if (event.key !== "Tab") keep(); });  // one a stroke, however long: browsers limit how often
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const step = { "[": "previous", "]": "next" }[event.key];
    if (step) $(step).querySelector("a")?.click();
  });
  form.addEventListener("input", async () => { bench.unknown([]); await draw(); keep(); steps(); });
  bench.scaling.onChange(() => keep());
  $("points").addEventListener("toggle", fill);
  window.addEventListener("hashchange", follow);
  new ResizeObserver(() => { if (plot) { plot.fit(); plot.point(at); panel(); } }).observe($("plot"));
  bench.onTheme(() => { if (series) { draw(); bench.scaling.again(); } });
  open();
})();
