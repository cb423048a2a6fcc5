/* ---- The network ---- */
const layersOf = () => network ? network.layers : [];
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
  const widest = layersOf().reduce((a, l) => a + size(l), 0), most = Math.max(6, ...layersOf().map((l) => l.expand));
  const unitWidth = (W - 20 - gap * layersOf().length) / widest;
  put('line', {x1: 0, x2: W, y1: middle, y2: middle, stroke: c.muted, 'stroke-width': 2});
  let x = 10, was = null;
  for (const l of layersOf()) {
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
  KERNELS.filter((k) => layersOf().some((l) => !l.skipped && l.kernel === k)).forEach((k) => {
    put('rect', {x: at, y: H - 14, width: 11, height: 11, rx: 2, fill: c.series[KERNELS.indexOf(k)]});
    put('text', {x: at + 16, y: H - 4, fill: c.ink, 'font-size': 12}, 'kernel ' + k + 'x' + k);
    at += 100;
  });
  return svg;
}
function networkPlots() {
  if (!network) return;
  const columns = ['layer', 'size', 'in', 'out', 'skipped', 'kernel', 'stride', 'expand', 'se', 'params', 'macs', 'cost'];
  const rows = layersOf().map((l) => columns.map((k) => typeof l[k] === 'boolean' ? +l[k] : l[k]));
  plot({id: 'network', title: search ? 'The found network' : 'The trained network', wide: true, columns, rows, svg: strip,
        text: 'Block by block, from ' + network.input + 'x' + network.input + ' pixels to ' + network.classes + ' classes. Width: output channels; height: expansion;' +
          (layersOf().some((l) => l.se) ? ' white dot: squeeze-and-excitation;' : '') + ' thin: skipped.'});
  const kinds = [3, 5, 7].filter((k) => layersOf().some((l) => !l.skipped && l.kernel === k));
  if (layersOf().some((l) => known(l.cost))) plot({
    id: 'layers', title: 'Where the ' + unit + ' go', wide: true, columns: ['layer', 'cost'],
    rows: layersOf().map((l) => [l.layer, l.cost]), height: 240,
    text: 'Predicted cost of each layer; stem, head and what cannot be decided cost another ' + figure(network.rest) + ' ' + unit + '.',
    chart: (c) => ({
      type: 'bar',
      data: {labels: layersOf().map((l) => l.layer), datasets: [
        ...kinds.map((k) => ({label: 'kernel ' + k, data: layersOf().map((l) => !l.skipped && l.kernel === k ? l.cost : null),
                              backgroundColor: c.series[KERNELS.indexOf(k)]})),
        {label: 'skipped', data: layersOf().map((l) => l.skipped ? l.cost : null), backgroundColor: c.muted}
      ].filter((d) => d.data.some(known)).map((d) => Object.assign(d, {grouped: false, barPercentage: .8, categoryPercentage: 1}))},
      options: {
        scales: {x: axis(c, 'layer', {type: 'category', grid: {display: false}}), y: axis(c, unit, {min: 0})},
        plugins: {tooltip: {callbacks: {title: () => '', label: (t) => describe(layersOf()[t.dataIndex]).split('\n')}}}
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
  const xs = (p.marks || []).map((m) => m.x), around = xs.length ? {suggestedMin: Math.min(...xs), suggestedMax: Math.max(...xs)} : {};
  plot(Object.assign({
    chart: (c) => ({
      type: 'scatter', data: {datasets: p.sets(c)},
      options: {
        interaction: {mode: 'nearest', intersect: true}, scales: {x: axis(c, unit || 'predicted cost', Object.assign({grace: '3%'}, around)),
            y: axis(c, p.y, {grace: '3%'})},
        plugins: {tooltip: {callbacks: {label: (t) => (t.raw.name || t.dataset.label) + ': ' + figure(t.raw.x) + ' ' + unit + ', '
                                                      + figure(t.raw.y) + ' ' + p.y}}}
      }
    })
  }, p));
}
/* Known networks whose every layer the cost table has: where they lie on the axis of cost. */
function marksOf() {
  return (data.known || []).filter((n) => known(n.cost)).map((n) => ({x: n.cost, text: n.name + ' ' + figure(n.cost)}));
}
const marksText = () => marksOf().length ? ' Upright: what known networks cost by the same table; their published accuracies are of other images.' : '';
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
    marks: marksOf(), text: 'Every network that was evaluated, and the front of those that nothing cheaper beats'
      + (answers.some((e) => e.rescored) ? ', among those that were scored again with the final weights.' : '.') + marksText() + thinned(data.evaluations),
    sets: (c) => [points('evaluated', answers.map((e) => ({x: e.cost, y: e.accuracy, name: 'evaluation ' + e.evaluation})), c.muted,
        {pointRadius: 3, order: 3}),
                  points('front', front.map((e) => ({x: e.cost, y: e.accuracy, name: 'evaluation ' + e.evaluation})), c.series[0],
                         {type: 'line', borderWidth: 2, stepped: true, pointRadius: 4}),
                  ...targetLine(c, answers.map((e) => e.accuracy))]
  });
  let best = -Infinity;
  const risen = answers.filter((e) => !e.rescored && (!known(target) || e.cost <= target)).map((e) => ({n: e.evaluation, best: best = Math.max(best, e.accuracy),
      accuracy: e.accuracy}));
  curves({
    id: 'best', title: 'Best so far within the budget', x: 'evaluation', y: 'accuracy', columns: ['evaluation', 'accuracy', 'best'],
    rows: risen.map((e) => [e.n, e.accuracy, e.best]), text: 'The most accurate network that costs no more than the target.',
    lines: (c) => [line('evaluated', risen, 'n', 'accuracy', c.muted, {showLine: false, pointRadius: 2}),
                   line('best', risen, 'n', 'best', c.series[0], {stepped: true, pointRadius: 0})]
  });
}
