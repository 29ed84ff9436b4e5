// A long editing history in one text: applying it as a receiver, loading it, its size, and typing into it. Ours as wasm and
// Yjs run in this process by turns.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as Y from 'yjs';
import { engine, payloadOf } from '../lib/engine.mjs';
import { median, percentile, short, spread } from '../lib/figures.mjs';
import { editingTrace } from '../lib/trace.mjs';

const PER_OPERATION = 100;
const WALL_MS = 1_760_000_000_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

export async function editing({ engines, quick }) {
  const trace = editingTrace(quick ? 26_000 : Infinity);
  const [rounds, typed] = quick ? [3, 300] : [5, 1_000];
  const updates = yjsUpdates(trace.edits);
  const tables = [];
  for (const [name, folder] of Object.entries(engines)) {
    const records = await ourOperations(folder, trace);
    const measured = {};
    for (let round = 0; round <= rounds; round += 1) {
      for (const [what, figure] of await oneRound(folder, { trace, updates, records, typed })) {
        // The first round warms both machines' compilers up.
        if (round > 0) (measured[what] ??= []).push(figure);
      }
    }
    tables.push(rowsOf(name, measured, sizes(updates, records, await engine(folder)), Object.keys(engines).length > 1));
  }
  return {
    title: 'Editing traces',
    how: `${trace.name}: ${trace.edits.length.toLocaleString('en-US')} edits of one character, ${PER_OPERATION} to an operation or Yjs update. `
      + `wasm and yjs in one Node process, by turns; ${rounds} rounds after one to warm up: median (least to greatest). "CRDT" is yrs in `
      + 'our wasm; "unsigned" a replica that judges, orders and merges but believes signatures; "everything" decodes and verifies too. '
      + `Typing: ${typed} calls, each making one character and, for Yjs, its update.`,
    head: ['what', 'yjs', 'CRDT', '× yjs', 'unsigned', 'everything', '× yjs', 'target', 'reached'],
    rows: tables.flat(),
  };
}

/** Each list of 100 edits in one transaction, as one update. */
function yjsUpdates(edits) {
  const doc = new Y.Doc();
  // As long as those that Yjs chooses.
  doc.clientID = 2_873_459_123;
  const updates = [];
  doc.on('update', (update) => updates.push(update));
  const text = doc.getText('notes');
  for (let at = 0; at < edits.length; at += PER_OPERATION) {
    doc.transact(() => {
      for (const [position, deleted, inserted] of edits.slice(at, at + PER_OPERATION)) {
        if (deleted) text.delete(position, deleted);
        if (inserted) text.insert(position, inserted);
      }
    });
  }
  return updates;
}

/** The same as signed operations of ours, as a store keeps them. */
async function ourOperations(folder, { edits, text }) {
  const { BenchReplica } = await engine(folder);
  const writer = new BenchReplica(1, true);
  const records = [];
  for (let at = 0; at < edits.length; at += PER_OPERATION) {
    for (const [position, deleted, inserted] of edits.slice(at, at + PER_OPERATION)) writer.edit(position, deleted, inserted);
    records.push(...writer.commit(WALL_MS + at));
  }
  if (writer.text() !== text) throw new Error('our text is not that of the trace');
  if (records.length !== Math.ceil(edits.length / PER_OPERATION)) throw new Error(`${records.length} operations`);
  return records;
}

async function oneRound(folder, { trace, updates, records, typed }) {
  const payloads = records.map(payloadOf);
  const figures = [];
  const note = (what, figure) => figures.push([what, figure]);
  const expect = (text) => {
    if (text !== trace.text) throw new Error('a text is not that of the trace');
  };
  const heap = () => (collect(), process.memoryUsage().heapUsed);

  const empty = heap();
  const theirs = new Y.Doc();
  note('apply/yjs', timed(() => updates.forEach((update) => Y.applyUpdate(theirs, update))));
  note('memory/yjs', heap() - empty);
  const observed = new Y.Doc();
  let told = 0;
  observed.getText('notes').observe(({ delta }) => (told += delta.length));
  note('told/yjs', timed(() => updates.forEach((update) => Y.applyUpdate(observed, update))));
  expect(theirs.getText('notes').toString());
  const theirState = Y.encodeStateAsUpdateV2(theirs);
  note('load/yjs', timed(() => Y.applyUpdateV2(new Y.Doc(), theirState)));

  const alone = await engine(folder);
  const document = new alone.BenchDocument(2);
  note('apply/crdt', timed(() => payloads.forEach((payload) => document.apply(payload))));
  note('memory/crdt', alone.bytes());
  expect(document.text());
  const ourState = document.stateV2();
  const loaded = new alone.BenchDocument(3);
  note('load/crdt', timed(() => loaded.applyV2(ourState)));
  expect(loaded.text());

  for (const [kind, signed] of [['unsigned', false], ['all', true]]) {
    const { BenchReplica, bytes } = await engine(folder);
    const reader = new BenchReplica(2, signed);
    note(`told/${kind}`, timed(() => records.forEach((record) => reader.receive(record, WALL_MS))));
    note(`memory/${kind}`, bytes());
    expect(reader.text());
    for (const [where, place] of Object.entries(places())) {
      const edit = (at) => reader.edit(at, 0, 'x');
      note(`${where}/${kind}`, each(typed, () => place(reader.length()), signed ? (at) => (edit(at), reader.commit(WALL_MS)) : edit));
      reader.commit(WALL_MS);
    }
    const restored = new BenchReplica(3, signed);
    note(`log/${kind}`, timed(() => records.forEach((record) => restored.restore(record))));
    expect(restored.text());
  }
  let made = 0;
  theirs.on('update', (update) => (made += update.length));
  const text = theirs.getText('notes');
  for (const [where, place] of Object.entries(places())) {
    note(`${where}/yjs`, each(typed, () => place(text.length), (at) => text.insert(at, 'x')));
  }
  for (const [where, place] of Object.entries(places())) {
    note(`${where}/crdt`, each(typed, () => place(document.length()), (at) => document.edit(at, 0, 'x')));
  }
  if (made === 0 || told === 0) throw new Error('Yjs made no update, or told nothing');
  return figures;
}

/** Where to type: at the end, or anywhere, the same places for everyone. */
function places() {
  let state = 7;
  const anywhere = (length) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * (length + 1));
  };
  return { end: (length) => length, anywhere };
}

/** Milliseconds. */
function timed(work) {
  collect();
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

/** Median, mean and 95th percentile of so many calls, in microseconds. */
function each(count, place, call) {
  collect();
  const took = Array.from({ length: count }, () => {
    const at = place();
    const begun = performance.now();
    call(at);
    return (performance.now() - begun) * 1_000;
  });
  return { p50: median(took), p95: percentile(took, 95), mean: took.reduce((sum, one) => sum + one, 0) / count };
}

function sizes(updates, records, { BenchDocument }) {
  const theirs = new Y.Doc();
  updates.forEach((update) => Y.applyUpdate(theirs, update));
  const ours = new BenchDocument(2);
  const payloads = records.map(payloadOf);
  payloads.forEach((payload) => ours.apply(payload));
  const sum = (list) => list.reduce((total, { length }) => total + length, 0);
  return {
    v2: { yjs: Y.encodeStateAsUpdateV2(theirs).length, crdt: ours.stateV2().length },
    v1: { yjs: Y.encodeStateAsUpdate(theirs).length, crdt: ours.state().length },
    updates: { yjs: sum(updates), crdt: sum(payloads), all: sum(records) },
  };
}

function rowsOf(build, measured, { v2, v1, updates }, several) {
  const name = (what) => (several ? `${build}: ${what}` : what);
  const figure = (what, kind) => measured[`${what}/${kind}`];
  const times = (ours, theirs) => `${(ours / theirs).toFixed(2)}`;
  const verdict = (ratio, most) => [`≤ ${most} × yjs`, ratio <= most ? 'yes' : 'no'];
  const duration = (what, label, most) => {
    const cell = (kind) => (figure(what, kind) ? spread(figure(what, kind)) : '');
    const ratio = (kind) => (figure(what, kind) && figure(what, 'yjs') ? median(figure(what, kind)) / median(figure(what, 'yjs')) : undefined);
    return [name(label), cell('yjs'), cell('crdt'), ratio('crdt')?.toFixed(2) ?? '', cell('unsigned'), cell('all'),
      ratio('all')?.toFixed(2) ?? '', ...(most ? verdict(ratio('crdt'), most) : ['', ''])];
  };
  const typing = (what, label, most) => {
    const of = (kind, part) => median(figure(what, kind).map((one) => one[part]));
    const cell = (kind) => `${short(of(kind, 'p50'))} (p95 ${short(of(kind, 'p95'))}, mean ${short(of(kind, 'mean'))})`;
    const ratio = of('unsigned', 'p50') / of('yjs', 'p50');
    return [name(label), cell('yjs'), cell('crdt'), times(of('crdt', 'p50'), of('yjs', 'p50')), cell('unsigned'), cell('all'),
      `${ratio.toFixed(2)} (unsigned)`, ...(most ? verdict(ratio, most) : ['', ''])];
  };
  const size = (label, { yjs, crdt, all }, most) => {
    const digits = (number) => (number ? number.toLocaleString('en-US') : '');
    return [name(label), digits(yjs), digits(crdt), (crdt / yjs).toFixed(4), '', digits(all), all ? times(all, yjs) : '', ...(most ? verdict(crdt / yjs, most) : ['', ''])];
  };
  const memory = (kind) => (median(figure('memory', kind)) / 2 ** 20).toFixed(1);
  return [
    duration('apply', 'apply all, ms', 1),
    duration('told', 'apply all, and tell of each change as a delta, ms'),
    duration('load', 'load from state v2, ms', 1),
    duration('log', 'load from the log of operations, ms'),
    size('state v2, bytes', v2, 1),
    size('state v1, bytes', v1),
    size('the updates, bytes', updates),
    typing('end', 'type at the end, µs', 3),
    typing('anywhere', 'type anywhere, µs'),
    [name('memory after applying: heap in use, wasm memory, MiB'), ...['yjs', 'crdt'].map(memory), '', memory('unsigned'), memory('all'), '', '', ''],
  ];
}
