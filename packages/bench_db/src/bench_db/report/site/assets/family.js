"use strict";
/* The relatives of a series: those that differ from it in one dimension alone, such as its test bed, its metric or one of its parameters. */
bench.family = (() => {
  const named = /^(\w+)[=:]([\w.+-]+)$/, bracket = /\[([^[\]]*)\]$/;

  /* A number as a parameter spells it; null for any other text. */
  function number(text) { return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null; }

  function decode(text) { return text.replaceAll("%2C", ",").replaceAll("%3D", "=").replaceAll("%25", "%"); }

  /* The parameters of a series, from its tags and its name: `rows=10`, `rows:10`, `/10` and `[10-x]`; and its name without their values. */
  function parsed(name, tags) {
    const parameters = new Map(tags.split(",").filter(Boolean).map((pair) => pair.split("=", 2).map(decode)));
    let unnamed = 0;
    const taken = (text) => {
      const [, key, value] = text.match(named) || [];
      if (key && !parameters.has(key)) { parameters.set(key, value); return `${key}=*`; }
      if (number(text) === null) return text;
      unnamed += 1;
      parameters.set(`parameter ${unnamed}`, text);
      return "*";
    };
    const inner = name.match(bracket);
    const outer = (inner ? name.slice(0, inner.index) : name).split("/").map((part, i) => (i ? part.split(",").map(taken).join(",") : part)).join("/");
    const stem = inner ? `${outer}[${inner[1].split(/[-,]/).map(taken).join("-")}]` : outer;
    return { stem, parameters };
  }

  /* What names each series of a catalogue. */
  function identity(all, i) {
    const facet = (column) => all.facets[column][all[column][i]];
    const suite = facet("suite"), metric = facet("metric"), tags = facet("tags");
    const before = suite ? suite.length + 2 : 0;
    const after = (metric === "time" ? 0 : metric.length + 1) + (tags ? tags.length + 3 : 0);
    const label = all.label[i], name = label.slice(before, label.length - after);
    return { place: i, bed: facet("bed"), metric, ...parsed(name, tags) };
  }

  /* All series with the device, the suite, the unit and the name of one, whatever their parameters, test beds and metrics; itself among them. */
  function of(all, here) {
    const mine = identity(all, here), same = ["dut", "suite", "units"];
    const near = all.key.map((_, i) => i).filter((i) => same.every((column) => all[column][i] === all[column][here]));
    const members = near.map((i) => identity(all, i)).filter((one) => one.stem === mine.stem && one.parameters.size === mine.parameters.size && [...mine.parameters.keys()].every((key) => one.parameters.has(key)));
    return { mine, members, dimensions: dimensions(mine, members) };
  }

  function value(one, dimension) { return dimension.startsWith("tag:") ? one.parameters.get(dimension.slice(4)) : one[dimension]; }

  function order(a, b) {
    const [x, y] = [number(a), number(b)];
    return x !== null && y !== null ? x - y : a < b ? -1 : a > b ? 1 : 0;
  }

  /* The members that agree with one in everything but the given dimensions, in the order of their values. */
  function along(mine, members, ...free) {
    const fixed = ["bed", "metric", ...[...mine.parameters.keys()].map((key) => `tag:${key}`)].filter((name) => !free.includes(name));
    const found = members.filter((one) => fixed.every((name) => value(one, name) === value(mine, name)));
    return found.sort((a, b) => free.reduce((result, name) => result || order(value(a, name), value(b, name)), 0));
  }

  /* The dimensions in which a series has relatives, with the number of their values and whether all are numbers. */
  function dimensions(mine, members) {
    const names = ["bed", "metric", ...[...mine.parameters.keys()].map((key) => `tag:${key}`)];
    return names.map((name) => {
      const values = along(mine, members, name).map((one) => value(one, name));
      return { name, title: title(name), count: values.length, numeric: values.every((text) => number(text) !== null) };
    }).filter(({ count }) => count > 1);
  }

  function title(name) { return { bed: "test bed", metric: "metric", branch: "branch" }[name] || name.slice(4); }

  return { of, along, value, number, title };
})();
