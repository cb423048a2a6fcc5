function searchCurves() {
  const looked = epochs.filter((e) => known(e.holdout_ce));
  if (has(steps, 'ce')) curves(Object.assign(table(steps, ['step', 'epoch', 'ce', 'top1', 'lr', 'weight_decay']), {
    id: 'ce', title: 'Cross entropy', x: 'step', y: 'nats',
    text: 'Each training batch, with label smoothing, and the mean of the last ' + windowOf() + ' rows'
      + (looked.length ? '; on held-out images, that of the network decided for at each epoch\'s end.' : '.') + thinned(data.steps),
    lines: (c) => [...(looked.length ? [line('held out', looked, 'step', 'holdout_ce', c.series[1], {pointRadius: 4})] : []),
                   line('mean', smooth(steps, 'ce'), 'step', 'y', c.series[0], {pointRadius: 0}),
                   line('batch', steps, 'step', 'ce', c.muted, {borderWidth: 1, pointRadius: 0})]
  }));
  if (has(steps, 'cost')) curves(Object.assign(table(steps, ['step', 'cost', 'cost_free', 'cost_drawn', 'cost_term']), {
    id: 'cost', title: 'Cost against the target', x: 'step', y: unit,
    text: 'Cost of the decisions; before they are held to the budget; and the target.'
      + (arch && arch.limits ? ' Where a limit binds, what the limited cost counts as: at its limit as much as the target.' : '') + thinned(data.steps),
    lines: (c) => [...level('target', target, steps, 'step', c.ink),
                   line('decisions', steps, 'step', 'cost', c.series[0], {pointRadius: 0}),
                   line('before the budget', steps, 'step', 'cost_free', c.series[1], {borderWidth: 1.5, pointRadius: 0})]
  }));
  if (has(steps, 'lambda')) curves(Object.assign(table(steps, ['step', 'lambda']), {
    id: 'lambda', title: 'Weight of the cost (lambda)', x: 'step', y: '',
    text: 'Rises while the supernet is dearer than the target, falls while it is cheaper; 0 in the warm-up.',
    lines: (c) => [line('lambda', steps, 'step', 'lambda', c.series[0], {pointRadius: 0})]
  }));
  const counted = epochs.filter((e) => Array.isArray(e.significance)).map(
    (e) => ({epoch: e.epoch_end, n: e.significance.filter((s) => s > 2).length, of: e.significance.length}));
  if (counted.length) curves({
    id: 'evidence', title: 'Options with a significant gradient', x: 'epoch', y: 'options',
    text: 'Whose mean gradient of the cross entropy over the epoch is more than 2 standard errors from 0, of '
      + counted[0].of + '.',
    columns: ['epoch', 'significant', 'options'], rows: counted.map((e) => [e.epoch, e.n, e.of]), scale: {min: 0},
    lines: (c) => [line('significant', counted, 'epoch', 'n', c.series[0])]
  });
}

/* ---- Decisions ---- */
let names = [], seen = []; /* of the indicators; rows that hold them */
function readSearch() {
  names = arch && arch.indicators ? arch.indicators.map((i) => i.name) : data.indicators || [];
  seen = steps.filter((r) => Array.isArray(r.x) && r.x.length === names.length && names.length);
}
function chosen(name) { /* whether the found network has the option "layer 3 kernel 5" */
  const [, layer, kind, value] = /^layer (\d+) (\w+) ?(.*)$/.exec(name) || [];
  const d = arch && arch.decisions && arch.decisions.find((e) => e.layer === +layer);
  if (!d || !d.keep) return false;
  return kind === 'keep' || d[kind] >= +value;
}
function rowsOptions(c, title, extra) { /* a row for each option */
  return {
    indexAxis: 'y', scales: {
      x: axis(c, title, extra),
      y: {type: 'category', grid: {display: false}, border: {color: c.line},
          ticks: {color: c.soft, autoSkip: false, font: {size: 10}}}
    }
  };
}
/* A row for each option, a column for each row of the log: list[row][option], blue above 0, orange below. */
function heat(p) {
  const rows = p.rows, end = rows.length > 1 ? last(rows).step - rows[rows.length - 2].step : 1;
  plot({
    id: p.id, title: p.title, height: 15 * p.names.length + 90, starts: p.starts, plain: true, text: p.text,
    columns: [p.x || 'step', ...p.names], rows: rows.map((r) => [r.step, ...r.list]),
    chart: (c) => ({
      type: 'bar',
      data: {
        labels: p.names,
        datasets: rows.map((r, i) => ({
          data: p.names.map((n, k) => ({x: [r.step, i + 1 < rows.length ? rows[i + 1].step : r.step + end], y: n, value: r.list[k]})),
          backgroundColor: (at) => at.raw ? shade(c, p.scale * at.raw.value) : c.line, grouped: false, barPercentage: .94,
          categoryPercentage: 1, borderWidth: 0
        }))
      },
      options: Object.assign(rowsOptions(c, p.x || 'step', rows.length ? {min: rows[0].step, max: last(rows).step + end} : {}), {
        plugins: {tooltip: {callbacks: {
          title: (t) => t[0].raw.y, label: (t) => (p.x || 'step') + ' ' + t.raw.x[0] + ': ' + p.tell(t.raw.value)
        }}}
      })
    })
  });
}
function decisionPlots() {
  heat({
    id: 'decisions', title: 'Decisions over time', starts: true, names, scale: 1, tell: (x) => 'x = ' + figure(x),
    rows: seen.map((r) => ({step: r.step, list: r.x})),
    text: 'x of every option: blue above 0, it is taken; orange below, it is not; pale: undecided. In the warm-up x means nothing yet.'
  });
  const gained = seen.filter((r) => Array.isArray(r.gain) && r.gain.length === names.length);
  const most = Math.max(...gained.flatMap((r) => r.gain.map(Math.abs)), 1e-9);
  heat({
    id: 'worth', title: 'Gains over time', names, scale: 2 / most, tell: (x) => 'gain ' + figure(x) + ' nats',
    rows: gained.map((r) => ({step: r.step, list: r.gain})),
    text: 'What each option is believed to save in cross entropy, from the end of the warm-up on: blue it helps, orange it harms. '
      + 'Rows that settle early are decided on evidence, rows that keep changing are not. The deepest colour is ' + figure(most / 2, 2) + ' nats and more.'
  });
  gainPlot();
}
function gainPlot() {
  const height = 15 * names.length + 90;
  const gains = arch && arch.indicators ? arch.indicators.filter((i) => known(i.gain)) : [];
  plot({
    id: 'gains', title: 'What each option is worth', height,
    text: 'Gain: cross entropy that the option saves. Where the cost did not allow everything, the dearest of the small gains went, and with a layer all that is in it.',
    columns: ['option', 'gain', 'average_x', 'x', 'taken'],
    rows: gains.map((i) => [i.name, i.gain, i.average_x, i.x, chosen(i.name) ? 1 : 0]),
    chart: (c) => ({
      type: 'bar',
      data: {labels: gains.map((i) => i.name), datasets: [true, false].map((yes) => ({
        label: yes ? 'in the network' : 'left out', data: gains.map((i) => chosen(i.name) === yes ? i.gain : null),
        backgroundColor: yes ? c.series[0] : c.series[1], grouped: false, barPercentage: .8, categoryPercentage: 1
      }))},
      options: rowsOptions(c, 'nats')
    })
  });
}

/* ---- What a method that asks has asked for ---- */

/* Share of the answers in which a decision is at least an option, in stretches of the search. */
function askedPlot() {
  const rows = evaluations.filter((e) => typeof e.network === 'string'), groups = new Map();
  for (const name of data.indicators || []) {
    const key = name.split(' ').slice(0, 3).join(' ');
    groups.set(key, [...(groups.get(key) || []), name]);
  }
  const digits = [...groups.values()].flatMap((list, decision) => list.map((name, i) => ({name, decision, least: i + 1})));
  const stretches = Math.min(20, Math.floor(rows.length / 5));
  if (stretches < 2 || rows.some((r) => r.network.length !== groups.size)) return;
  const part = (i) => rows.slice(Math.floor(i * rows.length / stretches), Math.floor((i + 1) * rows.length / stretches));
  heat({
    id: 'asked', title: 'Which options were asked about', names: digits.map((d) => d.name), scale: 2, x: 'evaluation', tell: (x) => 'in '
        + percent(x + 0.5) + ' of the networks',
    rows: [...Array(stretches).keys()].map((i) => ({
      step: part(i)[0].evaluation, list: digits.map((d) => mean(part(i).map((r) => +(parseInt(r.network[d.decision], 36) >= d.least))) - 0.5)
    })),
    text: 'Blue: an option that most of the networks in this stretch of the search had; orange: one that few had. A method that learns leaves the pale middle.'
  });
}
