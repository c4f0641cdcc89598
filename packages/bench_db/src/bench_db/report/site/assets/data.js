"use strict";
/* Data scripts loaded when they are needed: a page opened from a file may load scripts but may not fetch. */
bench.data = (() => {
  const path = /^(?:data|samples)\/[0-9a-z-]+\.js$/;
  const policy = window.trustedTypes?.createPolicy("bench-db", {
    createScriptURL: (url) => { if (!path.test(url)) throw new TypeError("not a data script"); return url; },
  });
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const pending = new Map();

  /* The content of a data script by what it calls itself, loaded once. */
  function load(url) {
    if (!pending.has(url)) pending.set(url, request(url));
    return pending.get(url);
  }

  function request(url) {
    const name = url.replace(/^data\//, "shard/").replace(/-[0-9a-f]{12}\.js$/, "");
    return new Promise((resolve, reject) => {
      bench.waiting.set(name, resolve);
      const script = document.createElement("script");
      script.onerror = () => reject(new Error("The site has been rebuilt since this page was opened. Reload the page."));
      script.src = policy ? policy.createScriptURL(url) : url;
      document.head.append(script);
    });
  }

  /* A shard by its files: its series, and the builds of their group. */
  async function shard([data, , builds]) {
    const [content, known] = await Promise.all([load(data), load(builds)]);
    return { series: content.series, builds: known };
  }

  /* Where a series is: the part of the catalogue with its relatives, and the keys of the series before and after it; null for none. */
  async function find(key) {
    const { digits, finds, kin } = bench.held.get("places");
    const path = finds[key.slice(0, digits)];
    const near = path ? await load(path) : {};
    const found = Object.hasOwn(near, key) && near[key];
    return found ? { all: await load(kin[found[0]]), before: found[1], after: found[2] } : null;
  }

  function bytes(text) { return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer; }

  /* Numbers, with null where there is none. */
  function floats(text) { return Array.from(new Float32Array(bytes(text)), (value) => (Number.isNaN(value) ? null : value)); }

  function steps(text) { return new Uint8Array(bytes(text)); }

  /* The heights of a sparkline from 0 to 1, null for a gap. */
  function heights(text) {
    return Array.from(text, (letter) => (letter === "." ? null : letters.indexOf(letter) / (letters.length - 1)));
  }

  /* A series of a shard: its points with what each was built from. */
  function series(shard, key) {
    const found = shard.series[key];
    const builds = [];
    for (let i = 0; i < found.at.length; i += 2) for (let j = 0; j < found.at[i + 1]; j += 1) builds.push(found.at[i] + j);
    const pick = (column) => builds.map((build) => shard.builds[column][build]);
    const branches = pick("branch");
    return {
      length: builds.length, commit: pick("commit"), version: pick("version"), time: pick("time"),
      branch: branches.map((place) => shard.builds.branches[place] || ""),
      median: floats(found.median), q1: floats(found.q1), q3: floats(found.q3),
      lower: found.lower ? floats(found.lower) : null, upper: found.upper ? floats(found.upper) : null,
      n: typeof found.n === "number" ? builds.map(() => found.n) : found.n,
      errors: found.errors || {}, findings: found.findings,
    };
  }

  /* What each series of the catalogue may go on as, or may have been before: its place, and in words what changed. */
  function relatives(all) {
    const found = { later: new Map(), earlier: new Map() };
    for (const [old, heir, hint] of all.heirs) { found.later.set(old, [heir, hint]); found.earlier.set(heir, [old, hint]); }
    return found;
  }

  /* The samples of one point as shares between its lowest and its highest, in the order of measuring; null when none are kept. */
  function samples(strips, place) {
    const at = strips ? place - strips.from : -1;
    const of = (counts, i) => (typeof counts === "number" ? counts : counts[i]);
    if (at < 0 || !of(strips.c, at)) return null;
    strips.steps ??= steps(strips.v);
    strips.low ??= floats(strips.lo);
    strips.high ??= floats(strips.hi);
    let start = 0;
    for (let i = 0; i < at; i += 1) start += of(strips.c, i);
    const shares = Array.from(strips.steps.slice(start, start + of(strips.c, at)), (step) => step / 255);
    return { shares, low: strips.low[at], high: strips.high[at], all: of(strips.n, at) };
  }

  /* The commits that a text names: in full, or by its beginning. */
  function commitsNamed(commits, text) {
    const known = new Set(commits.filter(Boolean));
    return known.has(text) ? [text] : [...known].filter((commit) => text && commit.startsWith(text));
  }

  function commitLink(commit) {
    const pattern = bench.held.get("settings").commitUrl;
    const text = commit ? commit.slice(0, bench.quantity.rule("sha_length")) : "no commit";
    if (!commit || !pattern.startsWith("https://")) return bench.el("span", { class: "sha" }, text);
    const href = pattern.replace("{commit}", encodeURIComponent(commit));
    return bench.el("a", { class: "sha", href, rel: "noreferrer" }, text);
  }

  return { load, shard, find, bytes, floats, heights, series, relatives, samples, commitsNamed, commitLink };
})();
