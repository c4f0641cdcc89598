"use strict";
/* Small pictures: the history in a row, and the stretch around a finding. */
bench.draw = (() => {
  function canvas(node, width, height) {
    const ratio = window.devicePixelRatio || 1;
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    const context = node.getContext("2d");
    context.scale(ratio, ratio);
    context.clearRect(0, 0, width, height);
    return context;
  }

  function spark(node, text, width = 120, height = 26) {
    const context = canvas(node, width, height);
    const heights = bench.data.heights(text);
    const across = (i) => 2 + (i / Math.max(1, heights.length - 1)) * (width - 6);
    const down = (share) => height - 4 - share * (height - 8);
    context.strokeStyle = bench.colour("series");
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.beginPath();
    let drawing = false;
    heights.forEach((share, i) => {
      if (share === null) { drawing = false; return; }
      if (drawing) context.lineTo(across(i), down(share)); else context.moveTo(across(i), down(share));
      drawing = true;
    });
    context.stroke();
    const last = heights.length - 1;
    if (heights[last] === null || heights[last] === undefined) return;
    context.fillStyle = bench.colour("series");
    context.beginPath();
    context.arc(across(last), down(heights[last]), 2.2, 0, 7);
    context.fill();
  }

  function median(values) {
    const known = values.filter((value) => value !== null).sort((a, b) => a - b);
    return known.length ? (known[(known.length - 1) >> 1] + known[known.length >> 1]) / 2 : null;
  }

  /* The points around a finding with the level before and after. */
  function excerpt(node, finding) {
    const width = node.clientWidth || 210, height = node.clientHeight || 54;
    const context = canvas(node, width, height);
    const values = bench.data.floats(finding.excerpt);
    const known = values.filter((value) => value !== null);
    if (!known.length) return;
    const low = Math.min(...known), span = Math.max(...known) - low || 1;
    const across = (i) => 4 + ((i + 0.5) / values.length) * (width - 8);
    const down = (value) => height - 6 - ((value - low) / span) * (height - 12);
    context.fillStyle = bench.colour("faint");
    values.forEach((value, i) => {
      if (value === null) return;
      context.beginPath();
      context.arc(across(i), down(value), 1.6, 0, 7);
      context.fill();
    });
    const accent = bench.colour(finding.worse === null ? "level" : finding.worse ? "worse" : "better");
    level(values.slice(0, finding.here), 0, bench.colour("level"));
    level(values.slice(finding.here), finding.here, accent);

    function level(part, first, stroke) {
      const at = median(part);
      if (at === null) return;
      context.strokeStyle = stroke;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(across(first) - 2, down(at));
      context.lineTo(across(first + part.length - 1) + 2, down(at));
      context.stroke();
    }
    performance.mark("bench-chart");
  }

  return { canvas, spark, median, excerpt };
})();
