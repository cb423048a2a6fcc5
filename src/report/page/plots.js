/* ---- Plots: each knows its table and how Chart.js draws it ---- */
function plot(p) {
  if (p.rows.length) plots.push(p);
}
function line(label, rows, x, y, color, extra) {
  return Object.assign({
    label, data: rows.filter((r) => known(r[x]) && known(r[y])).map((r) => ({x: r[x], y: r[y]})), borderColor: color,
    backgroundColor: color, borderWidth: 2, pointRadius: rows.length < 40 ? 3 : 0, pointHitRadius: 8, pointHoverRadius: 4
  }, extra);
}
function level(label, value, rows, x, color) {
  if (!known(value) || !rows.length) return [];
  return [{label, data: [{x: rows[0][x], y: value}, {x: last(rows)[x], y: value}], borderColor: color,
           backgroundColor: 'transparent', borderWidth: 1.5, borderDash: [6, 4], pointRadius: 0}];
}
function axis(c, title, extra) {
  return Object.assign({
    type: 'linear', title: {display: !!title, text: title, color: c.soft}, ticks: {color: c.soft, maxRotation: 0, precision: title === 'epoch' ? 0 : undefined},
    grid: {color: c.line, borderColor: c.line}, border: {color: c.line}
  }, extra);
}
function curves(p) { /* lines over steps, epochs or evaluations, which the first column tells */
  const whole = p.x !== 'step';
  p.range = {min: whole && p.rows.length > 1 ? p.rows[0][0] : undefined, max: p.rows.length ? last(p.rows)[0] : undefined};
  plot(Object.assign({
    chart: (c) => ({
      type: 'line', data: {datasets: p.lines(c)},
      options: {
        interaction: {mode: 'nearest', axis: 'x', intersect: false},
        scales: {x: axis(c, p.x, p.range), y: axis(c, p.y, p.scale)}
      }
    })
  }, p));
}
/* Columns that any row has a figure in. */
function table(rows, keys) {
  const columns = keys.filter((k) => has(rows, k));
  return {columns, rows: rows.map((r) => columns.map((k) => r[k]))};
}
function windowOf() { /* rows of a running mean */
  return Math.max(3, Math.min(25, Math.round(steps.length / 20)));
}
function smooth(rows, y) {
  return rows.map((r, i) => {
    const part = rows.slice(Math.max(0, i - windowOf() + 1), i + 1).map((q) => q[y]).filter(known);
    return {step: r.step, y: part.reduce((a, b) => a + b, 0) / part.length};
  });
}
const thinned = (log) => log.rows.length < log.count ? ' ' + log.rows.length + ' of ' + log.count + ' rows are shown.' : '';
/* Upright lines with a name at their upper end, where a plot has marks. */
const MARKS = {
  id: 'marks',
  afterDatasetsDraw(chart) {
    const p = drawn.get(chart.canvas.parentNode.parentNode.id), area = chart.chartArea, pen = chart.ctx;
    if (!p || !p.marks) return;
    const c = colors();
    pen.save();
    pen.strokeStyle = c.muted;
    pen.fillStyle = c.soft;
    pen.font = '11px system-ui, sans-serif';
    pen.textAlign = 'right';
    for (const m of p.marks) {
      const x = chart.scales.x.getPixelForValue(m.x);
      pen.beginPath();
      pen.moveTo(x, area.top);
      pen.lineTo(x, area.bottom);
      pen.stroke();
      pen.save();
      pen.translate(x - 4, area.top + 2);
      pen.rotate(-Math.PI / 2);
      pen.fillText(m.text, 0, 0);
      pen.restore();
    }
    pen.restore();
  }
};
/* Networks as lines over axes that each have a scale of their own. list: {name, color, values}, axes: {name, unit}. */
function parallel(p) {
  const ranges = p.axes.map((a, k) => {
    const values = p.list.map((n) => n.values[k]).filter(known);
    return [Math.min(...values), Math.max(...values)];
  });
  const kept = p.axes.map((a, k) => k).filter((k) => ranges[k][1] > ranges[k][0]);
  if (kept.length < 2 || p.list.length < 2) return;
  const at = (n, k) => known(n.values[k]) ? (n.values[k] - ranges[k][0]) / (ranges[k][1] - ranges[k][0]) : null;
  plot({
    id: p.id, title: p.title, text: p.text, wide: true, plain: true, height: 360, columns: ['network', ...p.axes],
    rows: p.list.map((n) => [n.name, ...n.values]),
    chart: (c) => ({
      type: 'line',
      data: {labels: kept.map((k) => [p.axes[k], figure(ranges[k][0], 3) + ' to ' + figure(ranges[k][1], 3)]), datasets: p.list.map((n) => ({
        label: n.name, data: kept.map((k) => at(n, k)), borderColor: n.color(c), backgroundColor: n.color(c), borderWidth: n.thin ? 1 : 2,
        pointRadius: n.thin ? 1.5 : 4, pointHoverRadius: 6, spanGaps: true, order: n.thin ? 1 : 0
      }))},
      options: {
        interaction: {mode: 'nearest', intersect: false},
        scales: {x: axis(c, '', {type: 'category', ticks: {color: c.ink, autoSkip: false, maxRotation: 0, font: {size: 11}}}),
                 y: axis(c, '', {min: -0.04, max: 1.04, ticks: {display: false}, grid: {display: false}})},
        plugins: {tooltip: {callbacks: {title: (t) => t[0].dataset.label,
                                        label: (t) => kept.map((k) => p.axes[k] + ': ' + figure(p.list[t.datasetIndex].values[k])).join('\n').split('\n')}}}
      }
    })
  });
}
