"use strict";
/* Numbers as people read them, by the scales the package itself uses. */
bench.quantity = (() => {
  function ladder(units) { return bench.held.get("settings").ladders[units] || [[1, units]]; }

  function step(size, units) {
    const steps = ladder(units);
    return steps.find(([scale]) => size >= scale) || steps[steps.length - 1];
  }

  /* Four significant digits and the largest fitting unit; "–" for null. */
  function text(value, units) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const [scale, sign] = step(Math.abs(value) || 1, units);
    const number = value / scale, whole = String(Math.trunc(Math.abs(number))).length;
    if (!number) return `0 ${sign}`.trim();
    const digits = ladder(units).length > 1 && Math.abs(number) >= 0.1 ? number.toFixed(Math.max(0, 4 - whole)) : String(Number(number.toPrecision(4)));
    return `${digits} ${sign}`.trim();
  }

  /* Labels of an axis: one unit for all, as few digits as tell neighbours apart; powers of ten where digits would not fit. */
  function ticks(values, units) {
    const largest = Math.max(...values.map(Math.abs)), [scale, sign] = step(largest, units);
    const distance = values.length > 1 ? Math.abs(values[1] - values[0]) / scale : largest / scale || 1;
    const exponent = Number((largest / scale).toExponential().split("e")[1]);
    // what is left over is compared with the distance: an absolute tolerance takes small distances for 0
    const leftOver = (digits) => Math.abs(distance * 10 ** digits - Math.round(distance * 10 ** digits)) / (distance * 10 ** digits);
    let places = -exponent;
    while (places < 17 - exponent && leftOver(places) > 1e-3) places += 1;
    const short = exponent < 7 && (exponent >= -3 || places <= 5);
    return values.map((value) => {
      const number = Math.abs(value / scale) < distance * 1e-6 ? 0 : value / scale;
      const digits = short ? number.toFixed(Math.max(0, places)) : number ? number.toExponential(places + exponent) : "0";
      return `${digits} ${sign}`.trim();
    });
  }

  const long = 1e6;  // from here on a power of ten

  /* A relative change, a large one as a factor; "–" for null. */
  function percent(effect) {
    if (!(effect >= rule("factor_effect")) || !Number.isFinite(effect)) return percentage(effect);
    const factor = 1 + effect, digits = factor >= 100 ? 0 : 1;
    return `${factor >= long ? factor.toExponential(2) : factor.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} times`;
  }

  function percentage(effect) {
    if (!Number.isFinite(effect)) return "–";  // nothing is relative to zero
    if (Math.abs(effect * 100) >= long) return `${effect > 0 ? "+" : ""}${(effect * 100).toExponential(2).replace(/^-/, "−")} %`;
    const value = (effect * 100).toFixed(Math.abs(effect) >= 1 ? 0 : 1);
    return `${Number(value) > 0 ? "+" : ""}${Number(value) === 0 ? "0.0" : value.replace("-", "−")} %`;
  }

  function share(effect) { return percentage(effect).replace(/^[+−]/, ""); }

  function interval(low, high) {
    if (low === null || high === null) return "";
    const [first, last] = [percent(low), percent(high)], unit = last.slice(last.lastIndexOf(" "));
    return `${first.endsWith(unit) ? first.slice(0, -unit.length) : first} to ${last}`;
  }

  function probability(p) { return p === null ? "" : p < 0.001 ? "p < 0.001" : `p ${Number(p.toPrecision(2))}`; }

  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const counts = new Intl.PluralRules("en");
  const brief = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

  function points(number) { return counts.select(number) === "one" ? "point" : "points"; }
  function date(seconds) { return seconds ? day.format(seconds * 1000) : "unknown date"; }
  function shortDate(seconds) { return seconds ? brief.format(seconds * 1000) : ""; }
  function moment(seconds) { return seconds ? new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") : "–"; }

  /* A threshold of the package, by its name there. */
  function rule(name) { return bench.held.get("settings").rules[name]; }

  /* The smallest share of a value that counts: that of the threshold of its series, or of the package. */
  function least(threshold, before) {
    if (!threshold) return rule("minimum_effect");
    return Math.max(threshold[0] || 0, threshold[1] ? threshold[1] / Math.abs(before) : 0);
  }

  /* What a relative change means: worse and better only from there, or from what the noise of the series lets be seen. Neither without both. */
  function kind(change, direction, noise, threshold, before) {
    if (!threshold && !Number.isFinite(noise?.[1])) return "quiet";
    if (change === null || change === undefined || direction === "info" || Math.abs(change) < Math.max(least(threshold, before), noise?.[1] || 0)) return "quiet";
    return (change > 0) === (direction === "lower") ? "worse" : "better";
  }

  /* A relative change with its verdict as a word before it: colour says nothing to many readers, and nothing on paper. */
  function verdict(change, kind) {
    const word = kind === "worse" || kind === "better" ? bench.el("span", { class: "small" }, `${kind} `) : "";
    return [word, percent(change)];
  }

  const better = { lower: "lower is better", higher: "higher is better", info: "for information" };

  return { text, ticks, percent, share, interval, probability, points, date, shortDate, moment, rule, kind, verdict, better };
})();
