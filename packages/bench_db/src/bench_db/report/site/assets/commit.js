"use strict";
/* Any measured commit, by its sha or the beginning of it. One with findings or failures has a page of its own, which this one leads to. */
(() => {
  const { el, quantity } = bench, $ = (id) => document.getElementById(id);
  const all = bench.held.get("measured"), { groups, builds } = bench.held.get("commits");
  const { commitUrl, differenceUrl } = bench.held.get("settings");
  const short = (commit) => commit.slice(0, quantity.rule("sha_length")), counted = (number) => number.toLocaleString("en");
  const address = (commit) => `commit.html#${new URLSearchParams({ commit })}`;
  const link = (place, text) => el("a", { href: all.page[place] || address(all.commit[place]) }, text);

  /* The places of the commits that a text names: in full, or by its beginning. */
  function found(text) {
    const names = bench.data.commitsNamed(all.commit, text);
    return all.commit.map((_, place) => place).filter((place) => names.includes(all.commit[place]));
  }

  function say(title, ...status) {
    $("title").textContent = title;
    $("status").replaceChildren(...status);
    $("builds").replaceChildren();
    $("body").hidden = true;
  }

  function show() {
    const text = (bench.state().get("commit") || "").trim(), places = found(text), names = new Set(places.map((place) => all.commit[place]));
    if (!places.length) { say(text ? "This commit has no results here" : "No commit chosen", text ? el("bdi", {}, text.slice(0, 80)) : "", text ? " is not among " : "Choose one of ", el("a", { href: "commits.html" }, "the measured commits"), "."); return; }
    if (names.size > 1) { say(`${counted(names.size)} commits begin like this`, ...places.slice(0, 20).flatMap((place) => [link(place, el("span", { class: "sha" }, all.commit[place])), " "])); return; }
    const [commit] = names, own = places.find((place) => all.page[place]);
    if (own !== undefined) { location.replace(all.page[own]); return; }
    document.title = document.title.replace(/^[^·]*/, `${short(commit)} `);
    $("title").replaceChildren(el("span", { class: "sha" }, short(commit)), " ", el("bdi", {}, all.subject[places[0]]));
    $("status").replaceChildren(...facts(places[0]));
    $("builds").replaceChildren(...places.flatMap((place) => about(place, places.length > 1)));
    $("measured").replaceChildren(...places.flatMap(rows));
    $("command").textContent = `bench-db show ${short(commit)}`;
    $("body").hidden = false;
  }

  /* When, where it is shown, and the measured commits beside it. */
  function facts(place) {
    const commit = all.commit[place], before = all.before[place], after = all.before.findLastIndex((other, at) => other === place && all.series[at]);
    const outside = commitUrl.startsWith("https://") && el("a", { href: commitUrl.replace("{commit}", encodeURIComponent(commit)), rel: "noreferrer" }, "the commit");
    const beside = [before >= 0 && link(before, "← measured before"), after >= 0 && link(after, "measured next →")];
    return [`${quantity.moment(all.time[place])} UTC`, outside, ...beside].filter(Boolean).flatMap((one, i) => (i ? [" · ", one] : [one]));
  }

  function about(place, several) {
    const device = all.devices[all.dut[place]], before = all.before[place], since = all.commits[place];
    const difference = before >= 0 && differenceUrl.startsWith("https://") && differenceUrl.replace("{before}", encodeURIComponent(all.commit[before])).replace("{commit}", encodeURIComponent(all.commit[place]));
    const newer = new Set(all.commit.filter((commit, at) => at < place && all.dut[at] === all.dut[place] && commit !== all.commit[place] && all.series[at])).size;
    const verdict = !device.judged || device.since === null ? "Not judged:" : newer < device.since ? "Not scanned yet:" : device.late ? "Perhaps not all of it was scanned:" : "Nothing moved:";
    const late = verdict.startsWith("Perhaps") ? ` ${counted(device.late)} run${device.late === 1 ? " of this or another commit up to the newest scanned one was" : "s of this or other commits up to the newest scanned one were"} published after the scan.` : "";
    const against = before < 0 ? ["No commit before it has results."] : [
      "Against ", link(before, el("span", { class: "sha" }, short(all.commit[before]))), ", the measured commit before", since ? `, ${counted(since)} commit${since === 1 ? "" : "s"} since` : "",
      ...(difference ? [" (", el("a", { href: difference, rel: "noreferrer" }, "diff"), ")"] : []), ".",
    ];
    const verdicts = !newer && device.said.length ? ` Against the level before it: ${device.said.map(([number, words]) => `${counted(number)} ${words}`).join(", ")}.` : "";
    return [
      el("p", {}, several && [el("bdi", {}, device.dut), ": "], against, ` ${counted(all.series[place])} series have a result`, all.fewer[place] ? `, ${counted(all.fewer[place])} fewer than there.` : "."),
      el("p", {}, el("strong", {}, verdict), ` no finding is at this commit.${late}${verdicts} `, el("span", { class: "quiet" }, `${device.scan[0].toUpperCase()}${device.scan.slice(1)}.`)),
      ...(all.notes[place] || []).map((note) => el("p", { class: "note" }, el("bdi", {}, note))),
    ];
  }

  /* A row for each device, test bed and suite that measured it, with the way to the table of their series. */
  function rows(place) {
    const commit = all.commit[place], { dut } = all.devices[all.dut[place]], before = all.before[place];
    const measured = [...new Set(builds.filter((build) => build[0] === commit).flatMap((build) => build[3]))].filter((group) => groups[group][0] === dut);
    return measured.map((group) => {
      const [, bed, suite] = groups[group];
      const both = before >= 0 && new URLSearchParams({ dut, bed, suite, a: all.commit[before], b: commit });
      return el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, bed)), el("td", { class: "text", "data-name": "Suite" }, el("bdi", {}, suite)), el("td", { class: "text", "data-name": "Device" }, el("bdi", {}, dut)),
        el("td", { class: "text", "data-name": "All its series" }, both ? el("a", { href: `compare.html#${both}`, "aria-label": `series of ${suite} on ${bed} beside the commit before` }, "beside the commit before") : "–"));
    });
  }

  window.addEventListener("hashchange", () => { show(); $("title").focus(); });
  show();
})();
