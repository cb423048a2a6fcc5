/* ---- Predicted against measured ---- */

const latencyPoints = (kind) => latency.points.filter((p) => p.kind === kind && p.measured > 0 && known(p.predicted));
const SIGMAS = 1.96; /* standard deviations of a 95 % interval */
const deviation = (list) => mean(list.map((p) => Math.abs(p.predicted / p.measured - 1)));
function agreement(id, title, text, kinds, logarithmic) {
  const list = kinds.flatMap((k) => latencyPoints(k[0]));
  if (!list.length) return;
  const ends = [Math.min(...list.map((p) => p.measured)), Math.max(...list.map((p) => p.measured))], around = list.flatMap((p) => [p.measured, p.predicted]),
    scale = logarithmic ? {type: 'logarithmic', min: 0.9 * Math.min(...around), max: 1.1 * Math.max(...around)} : {};
  const at = (p) => ({x: p.measured, y: p.predicted, name: p.name + ' (' + p.source + ')'});
  const bar = (p) => [{x: p.measured, y: p.predicted - SIGMAS * p.error}, {x: p.measured, y: p.predicted + SIGMAS * p.error}, {x: NaN, y: NaN}];
  plot({
    id, title, text, height: 340, columns: ['kind', 'name', 'source', 'measured', 'predicted', 'error'],
    rows: list.map((p) => [p.kind, p.name, p.source, p.measured, p.predicted, p.error]),
    chart: (c) => ({
      type: 'scatter',
      data: {datasets: [
        ...kinds.map(([kind, label], i) => points(label, latencyPoints(kind).map(at), c.series[i],
            {pointRadius: logarithmic ? 2.5 : 5})).filter((d) => d.data.length),
        ...(logarithmic ? [] : [{label: '95 % interval', type: 'line', data: list.flatMap(bar), borderColor: c.muted, backgroundColor: c.muted,
            borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0, order: 2}]),
        {label: 'equal', type: 'line', data: ends.map((x) => ({x, y: x})), borderColor: c.ink, backgroundColor: 'transparent', borderWidth: 1,
            borderDash: [6, 4], pointRadius: 0, pointHitRadius: 0}
      ]},
      options: {
        scales: {x: axis(c, 'measured, ' + latency.unit, scale), y: axis(c, 'predicted, ' + latency.unit, scale)},
        plugins: {tooltip: {callbacks: {label: (t) => t.raw.name ? [t.raw.name, 'measured ' + figure(t.raw.x) + ', predicted ' + figure(t.raw.y)
                                                                    + ' (' + figure(100 * (t.raw.y / t.raw.x - 1), 2) + ' %)'] : t.dataset.label}}}
      }
    })
  });
}
function latencyPlots() {
  if (!latency) return;
  agreement('networks', 'Predicted against measured: networks', 'Whole networks by the latency model ' + latency.name
      + '; on the line is exact. Trust those that did not calibrate it.',
            [['holdout', 'held out'], ['calibration', 'calibrates the model']], false);
  agreement('entries', 'Predicted against measured: parts', 'Every entry of the tables, predicted by a model that has not seen its shape.',
      [['entry', 'entry']], true);
}
function sayLatency() {
  const what = {
    holdout: (n) => of(n, 'held-out network'), calibration: (n) => of(n, 'network') + ' of its calibration',
    entry: (n) => (n === 1 ? '1 entry' : n + ' entries') + ', each predicted without its shape'
  };
  for (const kind of ['holdout', 'calibration', 'entry']) {
    const list = latencyPoints(kind), inside = list.filter((p) => Math.abs(p.predicted - p.measured) <= SIGMAS * p.error).length;
    if (list.length) say('Latency model ' + latency.name + ', ' + what[kind](list.length) + ': ' + figure(100 * deviation(list), 2) + ' % off on average, '
      + figure(100 * Math.max(...list.map((p) => Math.abs(p.predicted / p.measured - 1))), 3) + ' % at most; ' + inside + ' within the 95 % interval.');
  }
  if (!latencyPoints('holdout').length) say('No held-out network judges this latency model: --holdout of spnas latency fit takes some.', true);
}
