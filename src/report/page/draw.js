addEventListener('error', (e) => { /* files that hold something else than a run writes */
  const notes = document.getElementById('notes');
  notes.hidden = false;
  notes.append('This page could not be drawn to its end: ' + e.message);
});
const drawn = new Map(); /* plots on the page by their id */
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
  const head = element('tr', {}, ...p.columns.map((c) => element('th', data.columns && data.columns[c] ? {'data-tip': data.columns[c]} : {}, c)));
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
  p.chartDrawn = new Chart(canvas, Object.assign(settings, {plugins: [MARKS]}));
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
        legend: {display: !p.plain && settings.data.datasets.length > 1,
            labels: {color: c.ink, boxWidth: 14, boxHeight: 8, usePointStyle: settings.type === 'scatter'}}
      }, given)
    });
    drawChart(p, settings);
    p.figure.dataset.marks = settings.data.datasets.reduce((sum, d, i) =>
      sum + p.chartDrawn.getDatasetMeta(i).data.filter((e) => isFinite(e.x) && isFinite(e.y)).length, 0);
  }
}

const redraw = (light) => draw(colors(light));
function show(given) {
  read(given);
  if (comparison) {
    sayComparison();
    comparePlots();
  } else if (sweep) {
    sweepPlots();
  } else if (search) saySearch();
  else if (config.train) sayTraining();
  if (latency) sayLatency();
  networkPlots();
  searchCurves();
  trainCurves();
  if (confusion.length) confusionPlot();
  mistakesPlot();
  placePlot();
  archivePlots();
  askedPlot();
  latencyPlots();
  if (seen.length) decisionPlots();
  words();
  tiles();
  about();
  terms();
  place();
  let alone = null; /* a half without a neighbour takes the whole width */
  for (const p of [...plots, {wide: true}]) {
    if (alone && (p.wide || p.starts)) alone.figure.classList.add('wide');
    alone = p.wide || (alone && !p.starts) ? null : p;
  }
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
