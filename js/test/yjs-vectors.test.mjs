// What peersync writes, given to Yjs 13 and 14 in several orders: they show what we show (SPEC Y17). The other direction,
// and where these files come from: tests/vectors.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import * as Y14 from '@y/y';
import * as Y13 from 'yjs';

const folder = new URL('../../tests/vectors/yjs/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.startsWith('from-peersync-'));
const vectors = names.map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8'))]);
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));

/** Adjacent pieces with the same marks as one: where marks end and begin again, Yjs starts a new piece. */
function merged(pieces) {
  const all = [];
  for (const { insert, marks } of pieces) {
    const last = all.at(-1);
    const same = last && JSON.stringify(Object.entries(last.attributes ?? {}).sort()) === JSON.stringify(Object.entries(marks ?? {}).sort());
    if (same && typeof insert === 'string' && typeof last.insert === 'string') last.insert += insert;
    else all.push(marks && Object.keys(marks).length ? { insert, attributes: { ...marks } } : { insert });
  }
  return all;
}

const versions = {
  'Yjs 13': {
    Y: Y13,
    waits: true,
    text: (doc, name) => merged(doc.getText(name).toDelta().map(({ insert, attributes }) => ({ insert, marks: attributes }))),
    plain: (doc, name) => doc.getText(name).toString(),
    map: (doc, name) => doc.getMap(name).toJSON(),
    list: (doc, name) => doc.getArray(name).toJSON(),
  },
  'Yjs 14': {
    Y: Y14,
    // 14.0.0-rc.6 and rc.7 lose updates that come before what they build on, those that Yjs itself wrote too.
    waits: false,
    text: (doc, name) => merged((doc.get(name).toDelta().toJSON().children ?? []).map(({ insert, format }) => ({ insert, marks: format }))),
    plain: (doc, name) => doc.get(name).toString(),
    map: (doc, name) => ({ ...doc.get(name).getAttrs() }),
    list: (doc, name) => doc.get(name).toArray(),
  },
};

/** What a document shows, of everything that the vector names. */
function content(doc, { text, map, list }, vector) {
  const all = (names, read) => Object.fromEntries(Object.keys(names).map((name) => [name, read(doc, name)]));
  return { texts: all(vector.texts, text), maps: all(vector.maps, map), lists: all(vector.lists, list) };
}

/** A choice of one of `count`, the same in each run. */
function dice(seed) {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % count;
  };
}

/** The steps in another order. `causal`: each behind what its writer had seen. */
function shuffled(steps, seed, causal) {
  const choose = dice(seed);
  const heads = {};
  const numbered = steps.map((step) => ({ ...step, seq: (heads[step.writer] = (heads[step.writer] ?? 0) + 1) }));
  const given = {};
  const ready = ({ writer, seq, seen }) =>
    (given[writer] ?? 0) === seq - 1 && Object.entries(seen).every(([other, least]) => (given[other] ?? 0) >= least);
  const taken = [];
  for (const rest = [...numbered]; rest.length;) {
    const candidates = causal ? rest.filter(ready) : rest;
    const [next] = rest.splice(rest.indexOf(candidates[choose(candidates.length)]), 1);
    given[next.writer] = next.seq;
    taken.push(next);
  }
  return taken;
}

/** Ways in which a document may come by the updates. */
function* ways({ Y, waits }, { steps, stateV1, stateV2 }) {
  const give = (list) => (doc) => list.forEach(({ update }) => Y.applyUpdate(doc, bytes(update)));
  yield ['as made', give(steps)];
  yield ['in one transaction', (doc) => doc.transact(() => give(steps)(doc))];
  for (const seed of [1, 2, 3]) yield [`in causal order (${seed}), some twice`, give([...shuffled(steps, seed, true), ...steps.slice(0, 3)])];
  if (waits) {
    yield ['backwards', give([...steps].reverse())];
    for (const seed of [1, 2, 3]) yield [`in any order (${seed}), some twice`, give([...shuffled(steps, seed, false), ...steps.slice(0, 3)])];
  }
  yield ['merged to one update', (doc) => Y.applyUpdate(doc, Y.mergeUpdates(steps.map(({ update }) => bytes(update))))];
  if (stateV1) yield ['as one state (v1)', (doc) => Y.applyUpdate(doc, bytes(stateV1))];
  if (stateV2) yield ['as one state (v2)', (doc) => Y.applyUpdateV2(doc, bytes(stateV2))];
}

assert.ok(vectors.length >= 10);
for (const [name, vector] of vectors) {
  for (const [version, reader] of Object.entries(versions)) {
    test(`y17 ${version} reads ${name}: ${vector.what}`, () => {
      const { texts, maps, lists } = vector;
      for (const [way, give] of ways(reader, vector)) {
        const doc = new reader.Y.Doc();
        give(doc);
        assert.deepStrictEqual(content(doc, reader, vector), { texts, maps, lists }, way);
        for (const [text, delta] of Object.entries(texts)) {
          assert.equal(reader.plain(doc, text), delta.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join(''), way);
        }
        assert.equal(doc.store.pendingStructs, null, `${way}: nothing waits`);
        assert.equal(doc.store.pendingDs, null, `${way}: nothing waits to be deleted`);
      }
    });
  }
}
