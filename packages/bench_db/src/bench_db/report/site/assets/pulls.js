"use strict";
/* The points of a pull request in the history of one series, which only its chart shows. */
bench.pulls = (() => {
  const known = () => bench.held.get("pulls");

  /* The points of a pull request in a series; none where it has no result there. Null when the site has no such pull request. */
  async function of(number, key) {
    const found = known().find(([one]) => String(one) === number);
    if (!found) return null;
    const { runs, series } = await bench.data.load(found[1]);
    return (Object.hasOwn(series, key) ? series[key] : []).map(([run, median, q1, q3, n]) => {
      const [commit, version, time] = runs[run];
      return { commit, version, time, branch: `pull request ${number}`, median, q1, q3, n, lower: null, upper: null };
    });
  }

  /* A series with points of a pull request, each after the last point that is no later. `main` is the place of a point in the series
     alone, -1 for one of the pull request, and `own` has the medians without those: undefined, so that a line goes on there. */
  function joined(series, points) {
    const after = points.map(({ time }) => series.time.findLastIndex((one) => one <= time));
    const order = [-1, ...series.time.keys()].flatMap((i) => [...(i < 0 ? [] : [{ main: i }]), ...points.filter((_, j) => after[j] === i).map((point) => ({ main: -1, point }))]);
    const main = order.map((one) => one.main), places = new Map(main.map((i, place) => [i, place]));
    const pick = (name) => order.map(({ main: i, point }) => (point ? point[name] : series[name][i]));
    const columns = ["commit", "version", "time", "branch", "median", "q1", "q3", "n"];
    return {
      ...series, ...Object.fromEntries(columns.map((name) => [name, pick(name)])), length: order.length, main,
      lower: series.lower && pick("lower"), upper: series.upper && pick("upper"),
      errors: Object.fromEntries([
        ...Object.entries(series.errors).map(([i, text]) => [places.get(Number(i)), text]),
        ...order.flatMap(({ point }, i) => (point && point.median === null ? [[i, "This run of the pull request has no value."]] : [])),
      ]),
      findings: series.findings.map((finding) => ({ ...finding, at: places.get(finding.at) })),
    };
  }

  function own(series, values) { return values.map((value, i) => (series.main[i] < 0 ? undefined : value)); }

  function alone(series, values) { return values.map((value, i) => (series.main[i] < 0 ? value : null)); }

  return { known, of, joined, own, alone };
})();
