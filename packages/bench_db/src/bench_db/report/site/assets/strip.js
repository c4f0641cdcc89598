"use strict";
/* The raw samples of one point: a dot a sample, across by value and down in the order of measuring, over the box of the middle half. */
bench.strip = (node, point, samples) => {
  const width = node.clientWidth || 400, height = node.clientHeight || 74;
  const context = bench.draw.canvas(node, width, height);
  const across = (value) => 8 + ((value - samples.low) / (samples.high - samples.low || 1)) * (width - 16);
  if (point.q1 !== null && point.q3 !== null) {
    context.fillStyle = bench.colour("band");
    context.fillRect(across(point.q1), 4, Math.max(1, across(point.q3) - across(point.q1)), height - 8);
  }
  context.fillStyle = bench.colour("level");
  if (point.median !== null) context.fillRect(across(point.median) - 1, 2, 2, height - 4);
  context.fillStyle = bench.colour("accent");
  samples.shares.forEach((share, i) => {
    context.beginPath();
    context.arc(8 + share * (width - 16), 8 + (i / Math.max(1, samples.shares.length - 1)) * (height - 16), 2, 0, 7);
    context.fill();
  });
};
