/* ---- A comparison of methods ---- */
let compared = [], methods = [];
function readComparison() {
  compared = comparison ? comparison.networks.filter((n) => known(n.accuracy)) : [];
  methods = [...new Set(compared.map((n) => n.row))].filter((r) => r !== 'population');
}
const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const answers = (row) => compared.filter((n) => n.row === row);
const color = (c, row) => row === 'population' ? c.muted : c.series[methods.indexOf(row) % c.series.length];
const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'crossRot', 'rectRounded', 'cross'];

function byMethod(p) { /* a line for each method */
  plot(Object.assign({
    height: 34 * p.labels.length + 80,
    chart: (c) => ({
      type: 'scatter', data: {datasets: p.sets(c)},
      options: {
        scales: {x: axis(c, p.x, p.range), y: {type: 'category', labels: p.labels, offset: true, grid: {color: c.line},
                                               border: {color: c.line}, ticks: {color: c.ink, autoSkip: false}}},
        plugins: {tooltip: {callbacks: {label: (t) => t.raw.name || t.raw.y + ': ' + figure(t.raw.x)}}}
      }
    })
  }, p));
}
/* What a block string (MnasNet's) tells of a network; unknown where it is none. */
const AXES = 'Each axis goes from the least to the most that occurs. Kernel, expansion and channels are means over the blocks, SE the share of blocks '
  + 'that have it.';
const SHAPE = ['blocks', 'channels', 'kernel', 'expansion', 'SE'];
function shapeOf(text) {
  const blocks = (text || '').split(' ').map((b) => /^r(\d+)_k(\d+)_s\d+_e([\d.]+)_i\d+_o(\d+)(_se)?/.exec(b)).filter(Boolean);
  const count = blocks.reduce((a, b) => a + +b[1], 0), over = (value) => count ? blocks.reduce((a, b) => a + b[1] * value(b), 0) / count : null;
  return [count || null, over((b) => +b[4]), over((b) => +b[2]), over((b) => +b[3]), over((b) => b[5] ? 1 : 0)];
}
function spreadPlot() { /* of the seeds, by method and target */
  const targetsOf = (m) => [...new Set(answers(m).map((n) => n.target))];
  const rows = methods.flatMap((m) => targetsOf(m).map((target) => ({m, target, list: answers(m).filter((n) => n.target === target)})));
  const label = (r) => r.m + (new Set(compared.map((n) => n.target)).size > 1 ? ', ' + r.target : '');
  if (!rows.some((r) => r.list.length > 1)) return;
  const over = (n) => 100 * (n.accuracy - (comparison.population[n.target] || {}).mean);
  const ends = (r) => [Math.min(...r.list.map(over)), mean(r.list.map(over)), Math.max(...r.list.map(over))];
  byMethod({
    id: 'spread', title: 'How much the seed matters', labels: rows.map(label), x: 'points over the random networks of the target', plain: true,
    columns: ['row', 'target', 'seeds', 'least', 'mean', 'most'], rows: rows.map((r) => [r.m, r.target, r.list.length, ...ends(r)]),
    text: 'The answers of each method with different seeds, from the least to the most accurate; a diamond for their mean.',
    sets: (c) => [points('mean', rows.map((r) => ({x: ends(r)[1], y: label(r)})), c.ink, {pointStyle: 'rectRot', pointRadius: 7}),
                  points('answers', rows.flatMap((r) => r.list.map((n) => ({x: over(n), y: label(r), name: label(r) + ', seed ' + n.seed + ': '
                      + percent(n.accuracy)}))),
                         rows.flatMap((r) => r.list.map(() => color(c, r.m))), {pointRadius: 4}),
                  ...rows.map((r) => ({label: 'range', type: 'line', data: [{x: ends(r)[0], y: label(r)}, {x: ends(r)[2], y: label(r)}],
                                       borderColor: color(c, r.m), backgroundColor: color(c, r.m), borderWidth: 2, pointRadius: 0}))]
  });
}
function costTable() {
  const round = (x) => x === 0 ? 'none' : known(x) ? Math.round(x).toLocaleString('en') : 'unknown';
  const rows = methods.map((m) => {
    const list = answers(m), a = comparison.advantage[m] || {}, seconds = list.map((n) => n.seconds);
    return {m, searches: list.length, images: mean(list.map((n) => n.images)), seconds: mean(seconds), least: Math.min(...seconds), most: Math.max(...seconds),
            percentile: mean(list.map((n) => n.percentile)), mean: a.mean, interval: a.interval};
  });
  const cells = (r) => [r.m, r.searches, round(r.images), duration(r.seconds), duration(r.least) + ' to ' + duration(r.most), figure(r.percentile, 3),
                        (r.mean > 0 ? '+' : '') + figure(100 * r.mean, 3) + (known(r.interval) ? ' \u00b1 ' + figure(100 * r.interval, 3) : '')];
  plot({
    id: 'price', title: 'What a search costs, and what it brings', wide: true,
    columns: ['row', 'searches', 'images', 'seconds', 'least', 'most', 'percentile', 'advantage', 'interval'],
    rows: rows.map((r) => [r.m, r.searches, r.images, r.seconds, r.least, r.most, r.percentile, r.mean, r.interval]),
    text: 'Means over targets and seeds; advantage over random networks of equal cost in points of a hundred, with its '
        + figure(100 * comparison.confidence) + ' % confidence interval.',
    svg: () => element('table', {class: 'costs'},
      element('thead', {}, element('tr', {}, ...['method', 'searches', 'images each', 'time each', 'least to most', 'percentile',
          'advantage'].map((h) => element('th', {}, h)))),
      element('tbody', {}, ...rows.map((r) => element('tr', {class: 'mark'}, ...cells(r).map((v) => element('td', {}, String(v)))))))
  });
}
function comparePlots() {
  const columns = ['row', 'target', 'seed', 'network', 'predicted', 'accuracy', 'percentile', 'images', 'seconds', 'blocks'];
  const name = (n) => n.row + ', target ' + n.target + ', seed ' + n.seed;
  const at = (n) => ({x: n.predicted, y: n.accuracy, name: name(n)});
  scatter({
    id: 'compared', title: 'Accuracy against cost', y: 'accuracy', wide: true, height: 400, columns,
    rows: compared.map((n) => columns.map((k) => n[k])),
    marks: marksOf(), text: "Each method's answers among random networks of equal cost, all trained alike." + marksText(),
    sets: (c) => [...methods.map((m, i) => points(m, answers(m).map(at), color(c, m), {pointStyle: SHAPES[i % SHAPES.length], pointRadius: 6, borderWidth: 2})),
                  points('random networks', answers('population').map(at), c.muted, {pointRadius: 3})]
  });
  byMethod({
    id: 'percentiles', title: 'Place among random networks', labels: methods, x: 'percentile', range: {min: 0, max: 100},
    columns: ['row', 'target', 'seed', 'percentile'], rows: methods.flatMap(answers).map((n) => [n.row, n.target, n.seed, n.percentile]),
    text: 'A dot for each answer, a diamond for their mean; a random network is at 50 on average.',
    sets: (c) => [points('mean', methods.map((m) => ({x: mean(answers(m).map((n) => n.percentile)), y: m})), c.ink, {pointStyle: 'rectRot', pointRadius: 8}),
                  points('answers', methods.flatMap(answers).map((n) => ({x: n.percentile, y: n.row, name: name(n) + ': ' + figure(n.percentile)})),
                         methods.flatMap(answers).map((n) => color(c, n.row)))]
  });
  const gained = methods.filter((m) => comparison.advantage[m]).map((m) => Object.assign({row: m}, comparison.advantage[m]));
  const part = (a) => known(a.interval) ? a.interval : 0;
  byMethod({
    id: 'advantage', title: 'Advantage over random networks', labels: methods, x: 'accuracy, in points of a hundred',
    columns: ['row', 'count', 'mean', 'deviation', 'interval'], rows: gained.map((a) => [a.row, a.count, a.mean, a.deviation, a.interval]),
    text: 'Mean over all targets and seeds, with its ' + figure(100 * comparison.confidence)
        + ' % confidence interval. Left of 0: worse than a random network.',
    sets: (c) => [points('mean', gained.map((a) => ({x: 100 * a.mean, y: a.row})), gained.map((a) => color(c, a.row)), {pointRadius: 6}),
                  ...gained.map((a) => ({label: 'interval', type: 'line',
                      data: [{x: 100 * (a.mean - part(a)), y: a.row}, {x: 100 * (a.mean + part(a)), y: a.row}],
                                         borderColor: color(c, a.row), backgroundColor: color(c, a.row), borderWidth: 3, pointRadius: 0}))],
    plain: true
  });
  spreadPlot();
  costTable();
  parallel({
    id: 'parallel', title: 'What the networks have in common', axes: ['predicted', 'accuracy', ...SHAPE],
    list: compared.map((n) => ({name: name(n), values: [n.predicted, n.accuracy, ...shapeOf(n.blocks)], color: (c) => color(c, n.row),
        thin: n.row === 'population'})),
    text: 'A line for each network in its method\'s colour, random ones grey. ' + AXES
  });
  const tests = ['a', 'b', 'difference', 't', 'freedom', 'p', 'p_holm', 'significant'];
  plot({id: 'tests', wide: true, title: 'Which difference is significant', columns: tests, rows: comparison.tests.map((t) => tests.map((k) => t[k])),
      text: comparison.test + '.'});
}
function sayComparison() {
  const points100 = (x) => (x > 0 ? '+' : '') + figure(100 * x, 3);
  for (const m of methods) {
    const places = answers(m).map((n) => n.percentile), a = comparison.advantage[m] || {};
    say(m + ': mean percentile ' + figure(mean(places), 3) + ' (' + figure(Math.min(...places), 3) + ' to ' + figure(Math.max(...places), 3) + ') of '
      + of(places.length, 'answer') + '; ' + points100(a.mean) + (known(a.interval) ? ' +- ' + figure(100 * a.interval, 3) : '')
          + ' points over random networks of equal cost.');
  }
  const told = comparison.tests.filter((t) => t.significant);
  for (const t of told) say((t.difference > 0 ? t.a + ' is better than ' + t.b : t.b + ' is better than ' + t.a) + ' by '
      + figure(100 * Math.abs(t.difference), 3) + ' points (p ' + figure(t.p_holm, 2) + ').');
  if (!told.length) say('No difference is significant at ' + figure(1 - comparison.confidence, 2) + '.', true);
  const means = Object.entries(comparison.population);
  say('Random networks: ' + means.map(([t, p]) => p.count + ' at target ' + t + ', accuracy ' + percent(p.mean)).join('; ') + '.');
}
/* ---- Searches for several targets or lambdas, or with several settings ---- */

const called = (n) => sweep.tuned || !known(n.target) ? n.run : 'target ' + n.run;
function sweepPlots() {
  const columns = ['run', 'target', 'predicted', 'accuracy', 'front', 'params', 'macs', 'blocks'];
  const runs = sweep.networks.slice().sort((a, b) => a.predicted - b.predicted), at = (n) => ({x: n.predicted, y: n.accuracy, name: called(n)});
  scatter({
    id: 'sweep', title: 'Accuracy against cost', y: 'accuracy', wide: true, height: 400, columns,
    rows: runs.map((n) => columns.map((k) => typeof n[k] === 'boolean' ? +n[k] : n[k])),
    marks: marksOf(), text: 'A network for each search; the line joins those that nothing as cheap beats. Accuracy ' + sweep.accuracy + '.' + marksText(),
    sets: (c) => [points('front', runs.filter((n) => n.front).map(at), c.series[0], {type: 'line', borderWidth: 2, pointRadius: 6}),
                  points('beaten', runs.filter((n) => !n.front && known(n.accuracy)).map(at), c.series[1])]
  });
  parallel({
    id: 'parallel', title: sweep.tuned ? 'What the settings do' : 'How the networks change with the budget',
    axes: [...(sweep.tuned || []), 'target', 'predicted', 'accuracy', 'M parameters', 'M MACs', ...SHAPE],
    list: runs.map((n, i) => ({
      name: called(n), values: [...(sweep.tuned ? n.values : []), n.target, n.predicted, n.accuracy, n.params / 1e6, n.macs / 1e6,
          ...shapeOf(n.blocks)], color: (c) => c.series[i % c.series.length]})),
    text: 'A line for each network. ' + AXES
  });
  for (const n of runs) {
    const settings = sweep.tuned ? ' (' + sweep.tuned.map((t, i) => t + ' ' + figure(n.values[i])).join(', ') + ')' : '';
    say(called(n)[0].toUpperCase() + called(n).slice(1) + settings + ': predicted ' + figure(n.predicted) + ', accuracy ' + percent(n.accuracy) + ', '
      + millions(n.params) + ' parameters, ' + millions(n.macs) + ' MACs' + (n.front ? '.' : '; another is as cheap and as accurate.'), !n.front);
  }
}
