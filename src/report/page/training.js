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
let classes = [], confusion = [], seenOf = []; /* names; counts; images of each class */
function readTraining() {
  classes = (result && result.classes) || [];
  confusion = (result && result.confusion) || [];
  seenOf = confusion.map((row) => row.reduce((a, b) => a + b, 0));
}
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
  const worst = classes.map((n, i) => ({n, right: seenOf[i] ? confusion[i][i] / seenOf[i] : NaN}))
    .filter((e) => known(e.right)).sort((a, b) => a.right - b.right)[0];
  const pairs = confusion.flatMap((row, i) => row.map((n, k) => ({n, i, k}))).filter((e) => e.i !== e.k && e.n).sort((a, b) => b.n - a.n);
  if (worst) say('The hardest class is ' + worst.n + ' with ' + percent(worst.right) + ' right'
    + (pairs.length ? '; most often ' + classes[pairs[0].i] + ' is called ' + classes[pairs[0].k] + ', ' + pairs[0].n + ' times.' : '.'));
}

/* ---- Where it was sure and wrong ---- */

function mistakesPlot() {
  const told = data.files['mistakes.json'];
  if (!told || !told.mistakes.length) return;
  plot({
    id: 'mistakes', title: 'Where it is sure and wrong', wide: true, columns: ['image', 'class', 'called', 'confidence', 'right'],
    rows: told.mistakes.map((m) => [m.image, m.class, m.called, m.confidence, m.right]),
    text: 'Of ' + of(told.wrong, 'wrong answer')
        + ' on test images, those with the highest confidence, as the network sees them: what each is, and what it was '
      + 'called with which probability. Look for wrong labels, classes that overlap, and what the training images lack.',
    svg: () => element('div', {class: 'mistakes'}, ...told.mistakes.map((m) => element('div', {
      class: 'mark', 'data-tip': m.image + '\nis ' + m.class + ' (probability ' + percent(m.right) + ')\ncalled ' + m.called + ' ('
          + percent(m.confidence) + ')'
    }, element('img', {src: 'data:image/png;base64,' + m.png, alt: m.image, loading: 'lazy'}), element('b', {}, m.class),
    element('span', {}, 'called ' + m.called + ', ' + (100 * m.confidence).toFixed(0) + '\u00a0%'))))
  });
}
