'use strict';
/* Draws the page from the data beside it, and again from newer data where live.js has some: what is the same stays, with
 * what a reader has opened, hovers over or has scrolled to. Text from files only ever becomes text nodes. */
addEventListener('error', (e) => { /* files that hold something else than a run writes */
  const notes = document.getElementById('notes');
  notes.hidden = false;
  notes.append('This page could not be drawn to its end: ' + e.message);
});
const drawn = new Map(); /* plots on the page by their id */
let redraw = () => {};
function show(data) {
  const config = data.files['config.resolved.json'] || {};
  const arch = data.files['arch.json'];
  const env = data.files['env.json'] || {};
  const result = data.files['result.json'];
  const comparison = data.files['compare.json'];
  const sweep = data.files['front.json'];
  const search = env.command ? env.command !== 'train' : !data.files['result.json'];
  const steps = data.steps.rows, epochs = data.epochs.rows, evaluations = data.evaluations.rows;
  const network = data.network, space = data.space;
  const unit = (arch && arch.unit) || (space && space.unit) || '';
  const asked = search && config.search && !comparison && !sweep && !(config.search.target_share > 0) ? config.search.target : null;
  const target = arch ? arch.target : asked;

  /* ---- Small things ---- */

  function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    e.append(...children.filter((c) => c !== null && c !== undefined));
    return e;
  }
  /* Makes `old` what `fresh` is, and touches nothing that is so already. */
  function renew(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
    if (old.nodeType === Node.TEXT_NODE) return void (old.data = fresh.data);
    for (const a of [...old.attributes]) if (!fresh.hasAttribute(a.name) && a.name !== 'open') old.removeAttribute(a.name);
    for (const a of fresh.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    const before = [...old.childNodes], after = [...fresh.childNodes];
    after.forEach((node, i) => before[i] ? renew(before[i], node) : old.append(node));
    before.slice(after.length).forEach((node) => node.remove());
  }
  function refill(old, ...children) {
    const fresh = old.cloneNode(false);
    fresh.append(...children);
    renew(old, fresh);
  }
  const fill = (id, ...children) => refill(document.getElementById(id), ...children);
  const known = (x) => typeof x === 'number' && isFinite(x);
  /* For people; tables and CSV hold figures as they are. */
  const figure = (x, digits) => !known(x) ? 'unknown' : String(+x.toPrecision(digits || 4));
  const percent = (x) => known(x) ? (100 * x).toFixed(2) + ' %' : 'unknown';
  const millions = (x) => known(x) ? figure(x / 1e6) + ' M' : 'unknown';
  const has = (rows, key) => rows.some((r) => known(r[key]));
  const last = (list) => list[list.length - 1];
  const of = (n, one) => n + ' ' + one + (n === 1 ? '' : 's');
  function duration(s) {
    if (!known(s)) return 'unknown';
    if (s < 100) return figure(s, 3) + ' s';
    return s < 6000 ? figure(s / 60, 3) + ' min' : figure(s / 3600, 3) + ' h';
  }

  /* ---- Colours ---- */

  const LIGHT = {
    ink: '#14140f', soft: '#55544e', line: '#e1e0d9', surface: '#ffffff', muted: '#b4b3aa',
    
    series: ['#2a78d6', '#d9541e', '#128a5f', '#a87500', '#c2437f', '#5b8f1e', '#4a3aa7', '#c23a36'],
    low: [217, 84, 30], middle: [240, 239, 236], high: [42, 120, 214]
  };
  const DARK = {
    ink: '#f4f3ee', soft: '#b5b4ab', line: '#33332f', surface: '#1b1b19', muted: '#6f6e67',
    
    series: ['#5a9cee', '#ec7b4a', '#2fb583', '#d1a128', '#e07aab', '#86bb4a', '#9085e9', '#ee6a68'],
    low: [236, 123, 74], middle: [56, 56, 53], high: [90, 156, 238]
  };
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const mix = (a, b, t) => 'rgb(' + a.map((v, i) => Math.round(v + (b[i] - v) * t)).join(',') + ')';
  const shade = (c, x) => x < 0 ? mix(c.middle, c.low, Math.min(1, -x)) : mix(c.middle, c.high, Math.min(1, x));

  const verdict = []; /* what is said in words, in order */
  const say = (text, warn) => verdict.push({text, warn: !!warn});

  /* ---- Plots: each knows its table and how Chart.js draws it ---- */

  const plots = [];
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
  const WINDOW = Math.max(3, Math.min(25, Math.round(steps.length / 20))); /* rows of a running mean */
  function smooth(rows, y) {
    return rows.map((r, i) => {
      const part = rows.slice(Math.max(0, i - WINDOW + 1), i + 1).map((q) => q[y]).filter(known);
      return {step: r.step, y: part.reduce((a, b) => a + b, 0) / part.length};
    });
  }
  const thinned = (log) => log.rows.length < log.count ? ' ' + log.rows.length + ' of ' + log.count + ' rows are shown.' : '';

  function searchCurves() {
    if (has(steps, 'ce')) curves(Object.assign(table(steps, ['step', 'epoch', 'ce', 'top1', 'lr', 'weight_decay']), {
      id: 'ce', title: 'Cross entropy of the training batches', x: 'step', y: 'nats',
      text: 'Each batch, and the mean of the last ' + WINDOW + ' rows.' + thinned(data.steps),
      lines: (c) => [line('mean', smooth(steps, 'ce'), 'step', 'y', c.series[0], {pointRadius: 0}),
                     line('batch', steps, 'step', 'ce', c.muted, {borderWidth: 1, pointRadius: 0})]
    }));
    if (has(steps, 'cost')) curves(Object.assign(table(steps, ['step', 'cost', 'cost_free', 'cost_drawn', 'cost_term']), {
      id: 'cost', title: 'Cost against the target', x: 'step', y: unit,
      text: 'Cost of the decisions; before they are held to the budget; and the target.'
        + (arch && arch.limits ? ' Where a limit binds it is what the limited cost counts as: at its limit as much as the target.' : '') + thinned(data.steps),
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

  function trainCurves() {
    if (!search && has(epochs, 'train_loss')) curves(Object.assign(
      table(epochs, ['epoch_end', 'train_loss', 'holdout_loss', 'parted_epochs']), {
      id: 'loss', title: 'Loss over the epochs', x: 'epoch', y: 'nats',
      text: 'Training images with augmentation and label smoothing; held-out images without. They should fall together.',
      lines: (c) => [line('training', epochs, 'epoch_end', 'train_loss', c.series[1]),
                     line('held out', epochs, 'epoch_end', 'holdout_loss', c.series[0])]
    }));
    if (!search && has(epochs, 'train_top1')) curves(Object.assign(
      table(epochs, ['epoch_end', 'train_top1', 'holdout_top1']), {
      id: 'top1', title: 'Top-1 over the epochs', x: 'epoch', y: 'share right', text: 'Of training and of held-out images.',
      lines: (c) => [line('training', epochs, 'epoch_end', 'train_top1', c.series[1]),
                     line('held out', epochs, 'epoch_end', 'holdout_top1', c.series[0])]
    }));
    if (!search && has(steps, 'lr')) curves(Object.assign(table(steps, ['step', 'epoch', 'lr', 'ce', 'top1', 'weight_decay']), {
      id: 'lr', title: 'Learning rate', x: 'step', y: '', text: 'As it was used.' + thinned(data.steps),
      lines: (c) => [line('learning rate', steps, 'step', 'lr', c.series[0], {pointRadius: 0})]
    }));
  }

  /* ---- Who is taken for whom ---- */

  const classes = (result && result.classes) || [], confusion = (result && result.confusion) || [];
  const seenOf = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  function confusionTable(c) {
    const shown = classes.length <= 20;
    const head = element('tr', {}, element('th', {}, ''), ...classes.map((n, i) => element('th', {title: n}, shown ? n : String(i))));
    const body = confusion.map((row, i) => element('tr', {}, element('th', {scope: 'row', title: classes[i]}, classes[i]), ...row.map((n, k) => {
      const share = seenOf[i] ? n / seenOf[i] : 0;
      const cell = element('td', {class: 'mark', 'data-tip': classes[i] + (i === k ? '' : ' called ' + classes[k]) + ': ' + n + ' (' + percent(share) + ')'},
                           shown ? String(n) : '');
      cell.style.background = shade(c, (i === k ? 1 : -1) * Math.sqrt(share));
      if (n && share > 0.3) cell.style.color = c.surface;
      return cell;
    })));
    return element('table', {class: shown ? 'grid' : 'grid fine'}, element('thead', {}, head), element('tbody', {}, ...body));
  }
  function confusionPlot() {
    plot({
      id: 'confusion', title: 'Who is taken for whom', wide: true, svg: confusionTable, columns: ['class', ...classes],
      rows: confusion.map((row, i) => [classes[i], ...row]),
      text: 'Test images: a row for each class, a column for what they were called; blue is right, orange wrong.'
    });
    const worst = classes.map((n, i) => ({n, right: seenOf[i] ? confusion[i][i] / seenOf[i] : NaN})).filter((e) => known(e.right)).sort((a, b) => a.right - b.right)[0];
    const pairs = confusion.flatMap((row, i) => row.map((n, k) => ({n, i, k}))).filter((e) => e.i !== e.k && e.n).sort((a, b) => b.n - a.n);
    if (worst) say('The hardest class is ' + worst.n + ' with ' + percent(worst.right) + ' right'
      + (pairs.length ? '; most often ' + classes[pairs[0].i] + ' is called ' + classes[pairs[0].k] + ', ' + pairs[0].n + ' times.' : '.'));
  }

  /* ---- Decisions ---- */

  const names = arch && arch.indicators ? arch.indicators.map((i) => i.name) : data.indicators || [];
  const seen = steps.filter((r) => Array.isArray(r.x) && r.x.length === names.length && names.length);

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
  function decisionPlots() {
    const height = 15 * names.length + 90;
    const end = seen.length > 1 ? last(seen).step - seen[seen.length - 2].step : 1;
    plot({
      id: 'decisions', title: 'Decisions over time', height, starts: true, plain: true,
      text: 'x of every option: blue above 0, it is taken; orange below, it is not; pale: undecided.',
      columns: ['step', ...names], rows: seen.map((r) => [r.step, ...r.x]),
      chart: (c) => ({
        type: 'bar',
        data: {
          labels: names,
          datasets: seen.map((r, i) => ({
            data: names.map((n, k) => ({x: [r.step, i + 1 < seen.length ? seen[i + 1].step : r.step + end], y: n, value: r.x[k]})),
            backgroundColor: (p) => p.raw ? shade(c, p.raw.value) : c.line, grouped: false, barPercentage: .94,
            categoryPercentage: 1, borderWidth: 0
          }))
        },
        options: Object.assign(rowsOptions(c, 'step', {min: seen[0].step, max: last(seen).step + end}), {
          plugins: {tooltip: {callbacks: {
            title: (t) => t[0].raw.y, label: (t) => 'step ' + t.raw.x[0] + ': x = ' + figure(t.raw.value)
          }}}
        })
      })
    });
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

  /* ---- The network ---- */

  const layers = network ? network.layers : [];
  function describe(l) {
    const share = known(l.cost) ? '\n' + figure(l.cost) + ' ' + unit : '';
    if (l.skipped) return 'layer ' + l.layer + ': skipped, ' + l.in + ' channels at ' + l.size + 'x' + l.size + share;
    return 'layer ' + l.layer + ': ' + l.in + ' to ' + l.out + ' channels at ' + l.size + 'x' + l.size + '\nkernel ' + l.kernel
      + ', expansion ' + l.expand + (l.stride > 1 ? ', stride ' + l.stride : '') + (l.se ? ', SE ' + l.se : '') + '\n'
      + figure(l.params / 1e3) + ' k parameters, ' + millions(l.macs) + ' MACs' + share;
  }
  const KERNELS = [3, 5, 7];
  function strip(c) { /* MnasNet's figure of a network: width channels, height expansion, colour kernel */
    const ns = 'http://www.w3.org/2000/svg', W = 1000, H = 190, middle = 92, gap = 5;
    const svg = document.createElementNS(ns, 'svg');
    const put = (name, attributes, text) => {
      const e = document.createElementNS(ns, name);
      for (const key in attributes) e.setAttribute(key, attributes[key]);
      if (text !== undefined) e.textContent = text;
      svg.append(e);
      return e;
    };
    svg.setAttribute('viewBox', '0 0 ' + W + ' ' + H);
    svg.setAttribute('class', 'strip');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', 'the network, block by block');
    const size = (l) => l.skipped ? 4 : 8 + Math.sqrt(l.out);
    const widest = layers.reduce((a, l) => a + size(l), 0), most = Math.max(6, ...layers.map((l) => l.expand));
    const unitWidth = (W - 20 - gap * layers.length) / widest;
    put('line', {x1: 0, x2: W, y1: middle, y2: middle, stroke: c.muted, 'stroke-width': 2});
    let x = 10, was = null;
    for (const l of layers) {
      const w = size(l) * unitWidth, h = l.skipped ? 6 : 24 + 110 * (l.expand - 1) / most;
      if (l.size !== was) {
        put('line', {x1: x - gap / 2, x2: x - gap / 2, y1: 18, y2: H - 24, stroke: c.line});
        put('text', {x: x, y: 14, fill: c.soft, 'font-size': 12}, l.size + 'x' + l.size);
      }
      was = l.size;
      const color = l.skipped ? c.surface : c.series[Math.max(0, KERNELS.indexOf(l.kernel))];
      const box = put('rect', {x, y: middle - h / 2, width: w, height: h, rx: 3, fill: color, stroke: l.skipped ? c.muted : 'none',
                               class: 'mark', 'data-tip': describe(l)});
      box.append(Object.assign(document.createElementNS(ns, 'title'), {textContent: describe(l)}));
      if (l.se) put('circle', {cx: x + w / 2, cy: middle - h / 2 + 7, r: 3, fill: c.surface, 'pointer-events': 'none'});
      if (w > 17) put('text', {x: x + w / 2, y: H - 28, fill: c.soft, 'font-size': 11, 'text-anchor': 'middle'}, l.skipped ? '' : l.out);
      x += w + gap;
    }
    let at = 10;
    KERNELS.filter((k) => layers.some((l) => !l.skipped && l.kernel === k)).forEach((k) => {
      put('rect', {x: at, y: H - 14, width: 11, height: 11, rx: 2, fill: c.series[KERNELS.indexOf(k)]});
      put('text', {x: at + 16, y: H - 4, fill: c.ink, 'font-size': 12}, 'kernel ' + k + 'x' + k);
      at += 100;
    });
    put('text', {x: at, y: H - 4, fill: c.soft, 'font-size': 12}, 'width: output channels; height: expansion; white dot: SE; thin: skipped');
    return svg;
  }
  function networkPlots() {
    if (!network) return;
    const columns = ['layer', 'size', 'in', 'out', 'skipped', 'kernel', 'stride', 'expand', 'se', 'params', 'macs', 'cost'];
    const rows = layers.map((l) => columns.map((k) => typeof l[k] === 'boolean' ? +l[k] : l[k]));
    plot({id: 'network', title: search ? 'The found network' : 'The trained network', wide: true, columns, rows, svg: strip,
          text: 'Block by block, from ' + network.input + 'x' + network.input + ' pixels to ' + network.classes + ' classes' + '.'});
    const kinds = [3, 5, 7].filter((k) => layers.some((l) => !l.skipped && l.kernel === k));
    if (layers.some((l) => known(l.cost))) plot({
      id: 'layers', title: 'Where the ' + unit + ' go', wide: true, columns: ['layer', 'cost'],
      rows: layers.map((l) => [l.layer, l.cost]), height: 240,
      text: 'Predicted cost of each layer; stem, head and what cannot be decided cost another ' + figure(network.rest) + ' ' + unit + '.',
      chart: (c) => ({
        type: 'bar',
        data: {labels: layers.map((l) => l.layer), datasets: [
          ...kinds.map((k) => ({label: 'kernel ' + k, data: layers.map((l) => !l.skipped && l.kernel === k ? l.cost : null),
                                backgroundColor: c.series[KERNELS.indexOf(k)]})),
          {label: 'skipped', data: layers.map((l) => l.skipped ? l.cost : null), backgroundColor: c.muted}
        ].filter((d) => d.data.some(known)).map((d) => Object.assign(d, {grouped: false, barPercentage: .8, categoryPercentage: 1}))},
        options: {
          scales: {x: axis(c, 'layer', {type: 'category', grid: {display: false}}), y: axis(c, unit, {min: 0})},
          plugins: {tooltip: {callbacks: {title: () => '', label: (t) => describe(layers[t.dataIndex]).split('\n')}}}
        }
      })
    });
  }

  /* ---- Cost against something ---- */

  function points(label, list, color, extra) {
    return Object.assign({label, data: list, backgroundColor: color, borderColor: color, pointRadius: 5, pointHoverRadius: 7, clip: 10}, extra);
  }
  function targetLine(c, ys) {
    if (!known(target)) return [];
    return [{label: 'target', type: 'line', data: [{x: target, y: Math.min(...ys)}, {x: target, y: Math.max(...ys)}], borderColor: c.ink,
             backgroundColor: 'transparent', borderWidth: 1.5, borderDash: [6, 4], pointRadius: 0, pointHitRadius: 0}];
  }
  function scatter(p) {
    plot(Object.assign({
      chart: (c) => ({
        type: 'scatter', data: {datasets: p.sets(c)},
        options: {
          interaction: {mode: 'nearest', intersect: true}, scales: {x: axis(c, unit || 'predicted cost', {grace: '3%'}), y: axis(c, p.y, {grace: '3%'})},
          plugins: {tooltip: {callbacks: {label: (t) => (t.raw.name || t.dataset.label) + ': ' + figure(t.raw.x) + ' ' + unit + ', '
                                                        + figure(t.raw.y) + ' ' + p.y}}}
        }
      })
    }, p));
  }
  function placePlot() {
    if (!space || !network || !known(network.cost) || /MAC|FLOP/.test(unit)) return; /* MACs against MACs say nothing */
    const priced = (data.known || []).filter((n) => known(n.cost));
    const here = [['this network', network.cost, network.macs]];
    const rows = [...here, ...priced.map((n) => [n.name, n.cost, n.macs]), ...space.random.map((r) => ['random', r[0], r[1]])];
    const at = (r) => ({name: r[0], x: r[1], y: r[2] / 1e6});
    scatter({
      id: 'place', title: 'Its place in the space', y: 'M MACs', columns: ['network', 'cost', 'macs'], rows,
      text: space.random.length + ' random networks of the space, and the known ones that its cost table has all layers of'
        + (priced.length ? ' (' + priced.map((n) => n.name + ': ' + figure(n.cost) + ' ' + unit).join(', ') + ')' : '')
        + '. Equal work is not equal cost.',
      sets: (c) => [points('random', rows.filter((r) => r[0] === 'random').map(at), c.muted, {pointRadius: 2.5, order: 3}),
                    points('known', priced.map((n) => at([n.name, n.cost, n.macs])), c.series[2], {pointStyle: 'triangle', pointRadius: 7}),
                    points('this network', here.map(at), c.series[1], {pointRadius: 7}),
                    ...targetLine(c, rows.map((r) => r[2] / 1e6))]
    });
  }
  function archivePlots() {
    const answers = evaluations.filter((e) => known(e.cost) && known(e.accuracy));
    const front = (arch && arch.front) || [];
    const columns = ['evaluation', 'cost', 'accuracy', 'loss', 'images_trained', 'images_evaluated', 'seconds'];
    if (!answers.length) return;
    scatter({
      id: 'accuracy', title: 'Accuracy against cost', y: 'accuracy', columns, rows: answers.map((e) => columns.map((k) => e[k])),
      text: 'Every network that was evaluated, and the front of those that nothing cheaper beats.' + thinned(data.evaluations),
      sets: (c) => [points('evaluated', answers.map((e) => ({x: e.cost, y: e.accuracy, name: 'evaluation ' + e.evaluation})), c.muted, {pointRadius: 3, order: 3}),
                    points('front', front.map((e) => ({x: e.cost, y: e.accuracy, name: 'evaluation ' + e.evaluation})), c.series[0],
                           {type: 'line', borderWidth: 2, stepped: true, pointRadius: 4}),
                    ...targetLine(c, answers.map((e) => e.accuracy))]
    });
    let best = -Infinity;
    const risen = answers.filter((e) => !known(target) || e.cost <= target).map((e) => ({n: e.evaluation, best: best = Math.max(best, e.accuracy), accuracy: e.accuracy}));
    curves({
      id: 'best', title: 'Best so far within the budget', x: 'evaluation', y: 'accuracy', columns: ['evaluation', 'accuracy', 'best'],
      rows: risen.map((e) => [e.n, e.accuracy, e.best]), text: 'The most accurate network that costs no more than the target.',
      lines: (c) => [line('evaluated', risen, 'n', 'accuracy', c.muted, {showLine: false, pointRadius: 2}),
                     line('best', risen, 'n', 'best', c.series[0], {stepped: true, pointRadius: 0})]
    });
  }

  /* ---- A comparison of methods ---- */

  const compared = comparison ? comparison.networks.filter((n) => known(n.accuracy)) : [];
  const methods = [...new Set(compared.map((n) => n.row))].filter((r) => r !== 'population');
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
  function comparePlots() {
    const columns = ['row', 'target', 'seed', 'network', 'predicted', 'accuracy', 'percentile', 'images', 'seconds', 'blocks'];
    const name = (n) => n.row + ', target ' + n.target + ', seed ' + n.seed;
    const at = (n) => ({x: n.predicted, y: n.accuracy, name: name(n)});
    scatter({
      id: 'compared', title: 'Accuracy against cost', y: 'accuracy', wide: true, height: 400, columns,
      rows: compared.map((n) => columns.map((k) => n[k])),
      text: "Each method's answers among random networks of equal cost, all trained alike.",
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
      text: 'Mean over all targets and seeds, with its ' + figure(100 * comparison.confidence) + ' % confidence interval. Left of 0: worse than a random network.',
      sets: (c) => [points('mean', gained.map((a) => ({x: 100 * a.mean, y: a.row})), gained.map((a) => color(c, a.row)), {pointRadius: 6}),
                    ...gained.map((a) => ({label: 'interval', type: 'line', data: [{x: 100 * (a.mean - part(a)), y: a.row}, {x: 100 * (a.mean + part(a)), y: a.row}],
                                           borderColor: color(c, a.row), backgroundColor: color(c, a.row), borderWidth: 3, pointRadius: 0}))],
      plain: true
    });
    const price = methods.map((m) => [m, mean(answers(m).map((n) => n.images)), mean(answers(m).map((n) => n.seconds))]);
    const which = price.some((r) => r[1] > 0) ? 1 : 2;
    plot({
      id: 'price', title: 'What a search costs', height: 34 * methods.length + 80, columns: ['row', 'images', 'seconds'], rows: price, plain: true,
      text: 'Mean ' + (which === 1 ? 'number of images processed' : 'seconds') + ' of a search.',
      chart: (c) => ({type: 'bar', data: {labels: methods, datasets: [{label: which === 1 ? 'images' : 'seconds', data: price.map((r) => r[which]),
                                                                       backgroundColor: methods.map((m) => color(c, m)), maxBarThickness: 20}]},
                      options: rowsOptions(c, which === 1 ? 'images' : 's', {min: 0})})
    });
    const tests = ['a', 'b', 'difference', 't', 'freedom', 'p', 'p_holm', 'significant'];
    plot({id: 'tests', wide: true, title: 'Which difference is significant', columns: tests, rows: comparison.tests.map((t) => tests.map((k) => t[k])), text: comparison.test + '.'});
  }
  function sayComparison() {
    const points100 = (x) => (x > 0 ? '+' : '') + figure(100 * x, 3);
    for (const m of methods) {
      const places = answers(m).map((n) => n.percentile), a = comparison.advantage[m] || {};
      say(m + ': mean percentile ' + figure(mean(places), 3) + ' (' + figure(Math.min(...places), 3) + ' to ' + figure(Math.max(...places), 3) + ') of '
        + of(places.length, 'answer') + '; ' + points100(a.mean) + (known(a.interval) ? ' +- ' + figure(100 * a.interval, 3) : '') + ' points over random networks of equal cost.');
    }
    const told = comparison.tests.filter((t) => t.significant);
    for (const t of told) say((t.difference > 0 ? t.a + ' is better than ' + t.b : t.b + ' is better than ' + t.a) + ' by ' + figure(100 * Math.abs(t.difference), 3) + ' points (p ' + figure(t.p_holm, 2) + ').');
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
      id: 'sweep', title: 'Accuracy against cost', y: 'accuracy', wide: true, height: 400, columns, rows: runs.map((n) => columns.map((k) => typeof n[k] === 'boolean' ? +n[k] : n[k])),
      text: 'A network for each search; the line joins those that nothing as cheap beats. Accuracy ' + sweep.accuracy + '.',
      sets: (c) => [points('front', runs.filter((n) => n.front).map(at), c.series[0], {type: 'line', borderWidth: 2, pointRadius: 6}),
                    points('beaten', runs.filter((n) => !n.front && known(n.accuracy)).map(at), c.series[1])]
    });
    for (const n of runs)
      say(called(n)[0].toUpperCase() + called(n).slice(1) + (sweep.tuned ? ' (' + sweep.tuned.map((s, i) => s + ' ' + figure(n.values[i])).join(', ') + ')' : '') + ': predicted ' + figure(n.predicted) + ', accuracy ' + percent(n.accuracy) + ', ' + millions(n.params) + ' parameters, ' + millions(n.macs) + ' MACs'
        + (n.front ? '.' : '; another is as cheap and as accurate.'), !n.front);
  }

  /* ---- Words ---- */

  function sayCost() {
    const off = known(arch.target) ? 100 * (arch.predicted / arch.target - 1) : NaN;
    const said = isNaN(off) ? 'without a target, by lambda ' + figure(config.search.lambda) + ' alone' : Math.abs(off) < 0.005 ? 'exactly the target' : figure(Math.abs(off), 2) + ' % ' + (off > 0 ? 'above' : 'below') + ' the target of ' + figure(arch.target) + ' ' + unit;
    say('Found a network predicted at ' + figure(arch.predicted) + ' ' + unit + ', ' + said + ' (by ' + arch.cost
      + (arch.se_cost_is_modelled ? '; its SE part modelled, not measured' : '') + ').', off > 0.005);
    for (const l of arch.limits || [])
      say('By ' + l.cost + ' it takes ' + figure(l.predicted) + ' of at most ' + figure(l.limit) + ' ' + l.unit + '.', l.predicted > l.limit);
    if (known(arch.flips_to_meet_target))
      say(arch.flips_to_meet_target ? of(arch.flips_to_meet_target, 'decision') + ' of the search had to be changed to meet it.'
                                    : 'No decision of the search had to be changed to meet it.');
  }
  function sayEvidence() {
    const e = arch.evidence;
    if (!e) return;
    const ce = known(e.holdout_ce) ? e.holdout_ce : e.train_ce;
    say((e.enough ? 'Evidence: ' : 'Too little evidence: ') + of(e.steps_after_warmup, 'step') + ' after the warm-up; ' + e.significant_gains + ' of '
      + e.gains + ' gains are told from 0; cross entropy ' + figure(ce) + (known(e.holdout_ce) ? ' on held-out images' : ' on training images')
      + ', where guessing gives ' + figure(e.chance_ce) + '.', !e.enough);
  }
  function sayIndicators() {
    if (seen.length < 2) return;
    const first = seen[0], end = last(seen);
    const dead = Array.isArray(end.derivative) ? end.derivative.filter((d) => d < 1e-6).length : 0;
    const moved = end.x.filter((x, i) => Math.abs(x - first.x[i]) > 1e-3).length;
    const near = end.x.filter((x) => Math.abs(x) < 0.05).length;
    say('Indicators: ' + moved + ' of ' + names.length + ' have moved; ' + (dead ? dead + ' are dead, no gradient reaches them' : 'none is dead')
      + '; ' + near + (near === 1 ? ' lies' : ' lie') + ' within 0.05 of changing ' + (near === 1 ? 'its' : 'their') + ' decision.', dead || !moved);
  }
  function saySearch() {
    if (!arch) {
      const at = last(steps);
      say(evaluations.length ? 'This search has not named a network: ' + of(data.evaluations.count, 'evaluation') + ' so far.'
        : at ? 'This search has not named a network: it is at step ' + at.step + ', epoch ' + figure(at.epoch, 3) + ' of '
        + (config.search || {}).epochs + '.' : 'This search has not named a network, and its log is empty.', true);
      return sayIndicators();
    }
    sayCost();
    sayEvidence();
    sayIndicators();
    if (known(arch.inherited_holdout_top1) || known(arch.inherited_test_top1))
      say('With the weights of the search, not trained further: top-1 ' + percent(arch.inherited_holdout_top1) + ' on held-out images, '
        + percent(arch.inherited_test_top1) + ' on test images' + (arch.searched_on ? ' (' + arch.searched_on + ')' : '') + '.');
    if (known(arch.evaluations)) say(of(arch.evaluations, 'evaluation') + ' of networks by the evaluator ' + arch.evaluator + '.');
    if (known(arch.table_accuracy)) say('The table gives the found network an accuracy of ' + percent(arch.table_accuracy) + '.');
    if (arch.note) say('Note: ' + arch.note + '.', true);
  }
  function sayTraining() {
    const parted = last(epochs) && last(epochs).parted_epochs;
    if (!result) {
      const at = last(epochs);
      say('This training has not ended' + (at ? ': ' + at.epoch_end + ' of ' + (config.train || {}).epochs + ' epochs are done.' : ', and no epoch is done.'), true);
    } else {
      say('Best epoch ' + result.best_epoch + ' of ' + (last(epochs) ? last(epochs).epoch_end : '?') + ': top-1 ' + percent(result.holdout_top1) + ' on held-out images.');
      say(result.test_images ? 'On ' + of(result.test_images, 'test image') + ', which chose nothing: top-1 ' + percent(result.test_top1) + ', top-5 '
        + percent(result.test_top5) + ', loss ' + figure(result.test_loss) + '.' : 'There are no test images.');
    }
    if (parted >= 2) say('Held-out and training loss have parted for the last ' + parted + ' epochs.', true);
    if (network && network.note) say('Note: ' + network.note + '.', true);
    if (network && known(network.cost)) say('Predicted at ' + figure(network.cost) + ' ' + unit + ' by ' + space.cost + '.');
  }
  function tiles() {
    const list = [];
    const tile = (name, value) => list.push(element('div', {}, element('span', {}, name), element('b', {}, value)));
    if (search && arch) tile('predicted', figure(arch.predicted) + ' ' + unit);
    if (known(target)) tile('target', figure(target) + ' ' + unit);
    if (search && arch) for (const l of arch.limits || []) tile(l.cost, figure(l.predicted) + ' of ' + figure(l.limit) + ' ' + l.unit);
    if (!search && network && known(network.cost)) tile('predicted', figure(network.cost) + ' ' + unit);
    if (result) tile('test top-1', percent(result.test_top1));
    if (result) tile('held-out top-1', percent(result.holdout_top1));
    if (network) tile('parameters', millions(network.params));
    if (network) tile('MACs', millions(network.macs));
    if (arch && arch.images > 0) tile('images seen', arch.images.toLocaleString('en'));
    if (arch || result) tile('time', duration((arch || result).seconds));
    fill('tiles', ...list);
  }
  function about() {
    const quote = (s) => /^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'";
    const command = 'spnas ' + (env.command || 'search') + ' --config ' + quote(data.folder + '/config.resolved.json') + ' --out ';
    const facts = comparison ? [['command', element('code', {}, 'spnas compare --resume --out ' + quote(data.folder))]]
      : sweep ? [['command', element('code', {}, 'spnas sweep --resume --out ' + quote(data.folder))]]
      : [['command', element('code', {}, command + 'NEW_FOLDER')]];
    facts.push(['folder', data.folder]);
    for (const key in env) if (key !== 'command') facts.push([key, String(env[key])]);
    if (arch) facts.push(['block string (timm)', element('code', {}, arch.timm)], ['block string (MnasNet)', element('code', {}, arch.mnasnet)]);
    if (space) facts.push(['space', space.name + ', 10^' + figure(space.log10_networks, 3) + ' networks of ' + figure(space.cheapest) + ' to ' + figure(space.dearest) + ' ' + unit],
                          ['cost', space.cost + ': ' + space.source]);
    facts.push(['page', 'spnas ' + data.spnas + ', ' + data.made + (window.Chart ? '; plots by Chart.js ' + Chart.version : '; no plots: built without Chart.js')]);
    const list = element('dl', {});
    for (const [name, value] of facts) list.append(element('dt', {}, name), element('dd', {}, value));
    fill('about', element('h2', {}, 'How to repeat it'), list,
      element('details', {}, element('summary', {}, 'every setting'), element('pre', {}, element('code', {}, JSON.stringify(config, null, 1)))));
  }
  function words() {
    const name = data.folder.split('/').filter(Boolean).pop() || data.folder;
    document.title = name + ' - spnas report';
    fill('title', name);
    fill('kind', comparison ? 'comparison of ' + methods.length + ' methods, ' + compared.length + ' networks'
      : sweep ? (sweep.tuned ? 'tuning of ' + sweep.tuned.join(', ') + ' in ' + of(sweep.networks.length, 'trial') : 'sweep over ' + of(sweep.networks.length, 'target')) : search
      ? 'search' + (arch ? ', method ' + arch.method + ', space ' + arch.space : '') : 'training' + (network ? ' of ' + network.name : ''));
    fill('verdict', element('h2', {}, 'In short'), element('ul', {},
      ...verdict.map((v) => element('li', v.warn ? {class: 'warn'} : {}, v.text))));
    document.getElementById('notes').hidden = !data.notes.length;
    fill('notes', element('h2', {}, 'Missing from this page'), element('ul', {}, ...data.notes.map((n) => element('li', {}, n))));
  }

  /* ---- Drawing ---- */

  function csv(p) {
    const cell = (v) => v === null || v === undefined ? '' : /[",\n]/.test(v) ? '"' + String(v).replace(/"/g, '""') + '"' : String(v);
    return [p.columns, ...p.rows].map((r) => r.map(cell).join(',')).join('\n') + '\n';
  }
  function save(p) {
    const link = element('a', {href: URL.createObjectURL(new Blob([csv(p)], {type: 'text/csv'})), download: p.id + '.csv'});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  function tableOf(p) {
    const head = element('tr', {}, ...p.columns.map((c) => element('th', {}, c)));
    const body = p.rows.map((r) => element('tr', {}, ...r.map((v) => element('td', {}, v === null || v === undefined ? '' : String(v)))));
    return element('table', {}, element('thead', {}, head), element('tbody', {}, ...body));
  }
  function frame(p) { /* of a plot that is on the page already: the same one */
    const before = drawn.get(p.id), inside = before ? before.inside : element('div', {class: 'table'});
    const canDraw = window.Chart ? p.chart || p.svg : p.svg;
    const title = element('h2', {}, p.title), text = element('figcaption', {}, p.text);
    const summary = element('summary', {}, of(p.rows.length, 'row') + ' as a table');
    drawn.set(p.id, Object.assign(p, {inside}, before && {box: before.box, chartDrawn: before.chartDrawn, figure: before.figure, more: before.more}));
    const fillTable = () => { if (p.more.open) refill(inside, tableOf(drawn.get(p.id))); };
    if (before) {
      [[p.figure.querySelector('h2'), title], [p.figure.querySelector('figcaption'), text], [p.more.firstChild, summary]].forEach(
        ([old, fresh]) => renew(old, fresh));
      p.figure.classList.toggle('wide', !!p.wide);
      fillTable();
    } else {
      const button = element('button', {type: 'button'}, 'CSV');
      button.addEventListener('click', () => save(drawn.get(p.id)));
      p.more = element('details', {}, summary, inside);
      p.more.addEventListener('toggle', fillTable);
      p.more.open = !canDraw;
      fillTable();
      p.box = canDraw ? element('div', {class: 'plot' + (p.svg ? ' scroll' : '')}) : null;
      p.figure = element('figure', {id: p.id, class: p.wide ? 'wide' : ''}, element('div', {class: 'head'}, title, button), text, p.box, p.more);
    }
    if (p.box && !p.svg) p.box.style.height = (p.height || 280) + 'px';
    return p.figure;
  }
  function place() { /* the plots in order; those that are there already are not moved */
    const figures = document.getElementById('figures');
    let at = figures.firstChild;
    for (const figure of plots.map(frame)) {
      if (figure === at) at = at.nextSibling;
      else figures.insertBefore(figure, at);
    }
    for (const [id, p] of drawn) {
      if (plots.includes(p)) continue;
      if (p.chartDrawn) p.chartDrawn.destroy();
      p.figure.remove();
      drawn.delete(id);
    }
  }
  function drawChart(p, settings) {
    if (p.chartDrawn) { /* keeps what is hovered over */
      p.chartDrawn.data = settings.data;
      p.chartDrawn.options = settings.options;
      return p.chartDrawn.update('none');
    }
    const canvas = element('canvas', {role: 'img', 'aria-label': p.title});
    p.box.append(canvas);
    p.chartDrawn = new Chart(canvas, settings);
  }
  function draw(c) {
    for (const p of plots.filter((q) => q.box)) {
      if (p.svg) {
        refill(p.box, p.svg(c));
        p.figure.dataset.marks = p.box.querySelectorAll('.mark').length;
        continue;
      }
      const settings = p.chart(c), options = settings.options, given = options.plugins || {};
      Object.assign(options, {
        animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
        plugins: Object.assign({
          legend: {display: !p.plain && settings.data.datasets.length > 1, labels: {color: c.ink, boxWidth: 14, boxHeight: 8, usePointStyle: p.id === 'place' || p.id === 'compared'}}
        }, given)
      });
      drawChart(p, settings);
      p.figure.dataset.marks = settings.data.datasets.reduce((sum, d, i) =>
        sum + p.chartDrawn.getDatasetMeta(i).data.filter((e) => isFinite(e.x) && isFinite(e.y)).length, 0);
    }
  }
  if (comparison) {
    sayComparison();
    comparePlots();
  } else if (sweep) {
    sweepPlots();
  } else if (search) saySearch(); else sayTraining();
  networkPlots();
  searchCurves();
  trainCurves();
  if (confusion.length) confusionPlot();
  placePlot();
  archivePlots();
  if (seen.length) decisionPlots();
  words();
  tiles();
  about();
  place();
  let alone = null; /* a half without a neighbour takes the whole width */
  for (const p of [...plots, {wide: true}]) {
    if (alone && (p.wide || p.starts)) alone.figure.classList.add('wide');
    alone = p.wide || (alone && !p.starts) ? null : p;
  }
  redraw = (light) => draw(scheme.matches && !light ? DARK : LIGHT);
  redraw();
}
function tips() { /* of the strip: where a mouse hovers, a finger taps or the keyboard is */
  const tip = document.getElementById('tip');
  document.addEventListener('pointerover', (e) => {
    const text = e.target.getAttribute && e.target.getAttribute('data-tip');
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = Math.max(0, Math.min(e.pageX + 12, document.documentElement.clientWidth - 240)) + 'px';
    tip.style.top = e.pageY + 14 + 'px';
  });
}
show(JSON.parse(document.getElementById('data').textContent));
tips();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
addEventListener('beforeprint', () => redraw(true));
addEventListener('afterprint', () => redraw());
