/* ---- Words ---- */

function sayCost() {
  const off = known(arch.target) ? 100 * (arch.predicted / arch.target - 1) : NaN;
  const beside = Math.abs(off) < 0.005 ? 'exactly the target' : figure(Math.abs(off), 2) + ' % ' + (off > 0 ? 'above' : 'below') + ' the target of '
      + figure(arch.target) + ' ' + unit;
  const said = isNaN(off) ? 'without a target, by lambda ' + figure(config.search.lambda) + ' alone' : beside;
  say('Found a network predicted at ' + figure(arch.predicted) + ' ' + unit + ', ' + said + ' (by ' + arch.cost
    + (arch.se_cost_is_modelled ? '; its SE part modelled, not measured' : '') + ').', off > 0.005);
  for (const l of arch.limits || [])
    say('By ' + l.cost + ' it takes ' + figure(l.predicted) + ' of at most ' + figure(l.limit) + ' ' + l.unit + '.', l.predicted > l.limit);
  if (known(arch.decisions_changed_to_meet_target))
    say(arch.decisions_changed_to_meet_target ? of(arch.decisions_changed_to_meet_target, 'decision') + ' of ' + names.length + ' had to be changed to meet it.'
                                              : 'No decision had to be changed to meet it.');
  if (known(arch.target) && arch.predicted < arch.target * (1 - (config.search || {}).tolerance)) say('It is kept; no network lies nearer below it.');
}
function sayScores(e) {
  return of(e.training_steps, 'training step') + '; accuracies of ' + of(e.networks, 'network') + ' differ by ' + figure(100 * e.spread, 2)
    + ' points, where one has a standard error of ' + figure(100 * e.standard_error, 2)
    + (known(e.rank_agreement) ? '; ranks of the ' + e.scored_again + ' scored again at the end agree by ' + figure(e.rank_agreement, 2)
      + ' (1: the same order, 0: none)' : '');
}
function sayEvidence() {
  const e = arch.evidence;
  if (!e) return;
  const ce = known(e.holdout_ce) ? e.holdout_ce : e.train_ce;
  say((e.enough ? 'Evidence: ' : 'Too little evidence: ') + (known(e.networks) ? sayScores(e) : of(e.steps_after_warmup, 'step')
      + ' after the warm-up; ' + e.significant_gains + ' of ' + e.gains + ' gains are told from 0')
    + '; cross entropy ' + figure(ce) + (known(e.holdout_ce) ? ' on held-out images' : ' on training images')
    + ', where guessing gives ' + figure(e.chance_ce) + '.', !e.enough);
}
function sayHeldOut() { /* over the epochs */
  const looked = epochs.filter((e) => known(e.holdout_ce));
  if (looked.length < 2) return;
  const best = looked.reduce((a, b) => b.holdout_ce < a.holdout_ce ? b : a), end = last(looked);
  const worse = looked.slice(-2).every((e) => e.holdout_ce > 1.05 * best.holdout_ce); /* one epoch alone may be chance */
  say('Held-out cross entropy of the network decided for: ' + figure(looked[0].holdout_ce) + ' after the first epoch, ' + figure(end.holdout_ce)
      + ' after the last' + (worse ? '; it was ' + figure(best.holdout_ce) + ' after epoch ' + best.epoch_end
        + ': the weights begin to remember their images.' : '.'),
      worse);
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
    sayHeldOut();
    return sayIndicators();
  }
  sayCost();
  sayEvidence();
  sayIndicators();
  sayHeldOut();
  if (known(arch.inherited_holdout_top1) || known(arch.inherited_test_top1))
    say('With the weights of the search, not trained further: top-1 ' + percent(arch.inherited_holdout_top1) + ' on held-out images, '
      + percent(arch.inherited_test_top1) + ' on test images' + (arch.searched_on ? ' (' + arch.searched_on + ')' : '') + '.');
  if (known(arch.evaluations)) say(of(arch.evaluations, 'evaluation') + ' of networks by the evaluator ' + arch.evaluator + '.');
  if (known(arch.table_accuracy)) say('The table gives the found network an accuracy of ' + percent(arch.table_accuracy) + '.');
  if (arch.note) say('Note: ' + arch.note + '.', true);
}
/* Wilson's interval of a share, 95 %. */
function interval(share, count) {
  const z = 1.96, middle = (share + z * z / (2 * count)) / (1 + z * z / count),
      half = z / (1 + z * z / count) * Math.sqrt(share * (1 - share) / count + z * z / (4 * count * count));
  return ' (95 % interval ' + (100 * (middle - half)).toFixed(2) + ' to ' + percent(middle + half) + ')';
}
function sayTraining() {
  const parted = last(epochs) && last(epochs).parted_epochs;
  if (!result) {
    const at = last(epochs);
    say('This training has not ended' + (at ? ': ' + at.epoch_end + ' of ' + (config.train || {}).epochs + ' epochs are done.'
        : ', and no epoch is done.'), true);
  } else {
    say('Best epoch ' + result.best_epoch + ' of ' + (last(epochs) ? last(epochs).epoch_end : '?') + ': top-1 ' + percent(result.holdout_top1)
        + ' on held-out images.');
    say(result.test_images ? 'On ' + of(result.test_images, 'test image') + ', which chose nothing: top-1 ' + percent(result.test_top1)
        + interval(result.test_top1, result.test_images) + (result.classes && result.classes.length <= 5 ? '' : ', top-5 ' + percent(result.test_top5))
      + ', loss ' + figure(result.test_loss) + '.' : 'There are no test images.');
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
  const facts = latency && !config.search ? [['command', element('code', {}, 'spnas latency fit TABLE... --out ' + quote(data.folder))],
      ['source', latency.source]]
    : comparison ? [['command', element('code', {}, 'spnas compare --resume --out ' + quote(data.folder))]]
    : sweep ? [['command', element('code', {}, 'spnas sweep --resume --out ' + quote(data.folder))]]
    : [['command', element('code', {}, command + 'NEW_FOLDER')]];
  facts.push([latency && !config.search ? 'file' : 'folder', data.folder]);
  for (const key in env) if (key !== 'command') facts.push([key, String(env[key])]);
  if (arch) facts.push(['block string (timm)', element('code', {}, arch.timm)], ['block string (MnasNet)', element('code', {}, arch.mnasnet)]);
  if (space) facts.push(['space', space.name + ', 10^' + figure(space.log10_networks, 3) + ' networks of ' + figure(space.cheapest) + ' to '
      + figure(space.dearest) + ' ' + unit],
                        ['cost', space.cost + ': ' + space.source]);
  facts.push(['page', 'spnas ' + data.spnas + ', ' + data.made + (window.Chart ? '; plots by Chart.js ' + Chart.version
      : '; no plots: built without Chart.js')]);
  const list = element('dl', {});
  for (const [name, value] of facts) list.append(element('dt', {}, name), element('dd', {}, value));
  fill('about', element('h2', {}, 'How to repeat it'), list,
    Object.keys(config).length ? element('details', {}, element('summary', {}, 'every setting'),
        element('pre', {}, element('code', {}, JSON.stringify(config, null, 1)))) : '');
}
function words() {
  const name = data.folder.split('/').filter(Boolean).pop() || data.folder;
  document.title = name + ' - spnas report';
  fill('title', name);
  fill('kind', latency && !config.search ? 'latency model ' + latency.name : comparison ? 'comparison of ' + methods.length + ' methods, '
      + compared.length + ' networks'
    : sweep ? (sweep.tuned ? 'tuning of ' + sweep.tuned.join(', ') + ' in ' + of(sweep.networks.length, 'trial') : 'sweep over '
        + of(sweep.networks.length, 'target')) : search
    ? 'search' + (arch ? ', method ' + arch.method + ', space ' + arch.space : '') : 'training' + (network ? ' of ' + network.name : ''));
  const told = new Set();
  fill('verdict', element('h2', {}, 'In short'), element('ul', {},
    ...verdict.map((v) => element('li', v.warn ? {class: 'warn'} : {}, ...explained(v.text, told)))));
  document.getElementById('notes').hidden = !data.notes.length;
  fill('notes', element('h2', {}, 'Missing from this page'), element('ul', {}, ...data.notes.map((n) => element('li', {}, n))));
}

/* ---- Terms and columns ---- */

/* The glossary: "- **term**: meaning" lines, continued by indented ones. */
const TERMS = document.getElementById('glossary').textContent.split(/\n- \*\*/).slice(1).map((text) => {
  const [term, meaning] = text.split('**: ');
  return {term, meaning: meaning.split(/\n\n|\n#/)[0].replace(/\s*\n\s*/g, ' ').trim()};
});
const FOUND = new RegExp('(^|[^\\w])(' + TERMS.map((t) => t.term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).sort((a, b) => b.length - a.length).join('|')
    + ')(?=$|[^\\w])');
/* The text with its known terms explained on hover, each once on the page. */
function explained(text, told) {
  const parts = [];
  for (let found; (found = FOUND.exec(text));) {
    const at = found.index + found[1].length, end = at + found[2].length, fresh = !told.has(found[2]);
    parts.push(text.slice(0, at), fresh ? element('abbr', {tabindex: 0, 'data-tip': found[2] + ': ' + TERMS.find((t) => t.term === found[2]).meaning},
        found[2]) : found[2]);
    told.add(found[2]);
    text = text.slice(end);
  }
  return [...parts, text];
}
function withPapers(text) {
  return text.split(/(arXiv \d{4}\.\d{5})/).map((part) => /^arXiv \d/.test(part) ? element('a', {href: 'https://arxiv.org/abs/' + part.slice(6)}, part) : part);
}
function terms() {
  const list = element('dl', {}), columns = element('dl', {});
  for (const t of TERMS) list.append(element('dt', {}, t.term), element('dd', {}, ...withPapers(t.meaning)));
  for (const key in data.columns) columns.append(element('dt', {}, element('code', {}, key)), element('dd', {}, data.columns[key]));
  fill('terms', element('h2', {}, 'What the words mean'), element('details', {}, element('summary', {}, of(TERMS.length, 'term')), list),
    element('details', {}, element('summary', {}, 'columns of metrics.jsonl and archive.jsonl'), columns));
}
