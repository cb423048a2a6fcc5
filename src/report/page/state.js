/* What the page shows: the data, and what is read off them. Drawn anew from newer data (live.js), all of it changes.
 * The scripts beside this one are one script on the page, in the order in which CMakeLists.txt names them. */
'use strict';
let data, config, arch, env, result, comparison, sweep, latency, search; /* the run's files; search: not a training */
let steps, epochs, evaluations, network, space, unit, target;
let plots = [], verdict = []; /* what is drawn; what is said in words, in order */

function read(given) {
  data = Object.assign({files: {}, steps: {count: 0, rows: []}, epochs: {count: 0, rows: []}, evaluations: {count: 0, rows: []}}, given);
  config = data.files['config.resolved.json'] || {};
  arch = data.files['arch.json'];
  env = data.files['env.json'] || {};
  result = data.files['result.json'];
  comparison = data.files['compare.json'];
  sweep = data.files['front.json'];
  latency = data.latency;
  search = env.command ? env.command !== 'train' : !result && !comparison && !sweep && !!data.files['config.resolved.json'];
  [steps, epochs, evaluations] = [data.steps.rows, data.epochs.rows, data.evaluations.rows];
  network = data.network;
  space = data.space;
  unit = (arch && arch.unit) || (space && space.unit) || (latency && latency.unit) || '';
  const asked = search && config.search && !comparison && !sweep && !(config.search.target_share > 0) ? config.search.target : null;
  target = arch ? arch.target : asked;
  plots = [];
  verdict = [];
  readTraining();
  readSearch();
  readComparison();
}

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
const colors = (light) => scheme.matches && !light ? DARK : LIGHT;
const mix = (a, b, t) => 'rgb(' + a.map((v, i) => Math.round(v + (b[i] - v) * t)).join(',') + ')';
const shade = (c, x) => x < 0 ? mix(c.middle, c.low, Math.min(1, -x)) : mix(c.middle, c.high, Math.min(1, x));

const say = (text, warn) => verdict.push({text, warn: !!warn});
