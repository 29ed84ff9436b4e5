// What bad input gets: a typed error that names the field, no call of the module, no change, no harm to Object.prototype.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, isPeersyncError, open } from './support.mjs';

const LONE = 'a\ud800b';
const NUL = 'a\0b';
const MIB = 'k'.repeat(1 << 20);
const RESERVED = ['__proto__', 'constructor', 'prototype'];

/** So many objects around a number. */
const nested = (depth) => (depth === 0 ? 1 : { deeper: nested(depth - 1) });
const circular = () => {
  const value = {};
  value.self = value;
  return value;
};
/** An own property of any name, as `JSON.parse` makes it. */
const own = (key, value = 1) => JSON.parse(JSON.stringify({ x: value }).replace('"x"', JSON.stringify(key)));

/** Calls `attempt`; it must fail with `code` and a message about `field`, and the module must not have been asked. */
async function refused(fake, what, attempt, code, field) {
  const before = fake.calls.length;
  const prototype = Object.getOwnPropertyNames(Object.prototype).join();
  await assert.rejects(async () => attempt(), failure(code, field), what);
  assert.deepEqual(fake.calls.slice(before), [], `${what} reached the module`);
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), prototype, what);
  assert.equal({}.polluted, undefined, what);
}

const NAMES = [
  ['nothing', undefined], ['null', null], ['a number', 7], ['an object', {}], ['an empty one', ''],
  ['half a surrogate pair', LONE], ['NUL', NUL], ['1 MiB', MIB], ['257 bytes', 'é'.repeat(129)],
  ...RESERVED.map((name) => [name, name]),
];

test('names, ids and keys are refused by name', async () => {
  const { client, fake } = await open();
  const [map, records] = [client.map('m'), client.records('r')];
  const uses = [
    ['text', /name/, (name) => client.text(name)], ['map', /name/, (name) => client.map(name)],
    ['list', /name/, (name) => client.list(name)], ['records', /name/, (name) => client.records(name)],
    ['map.get', /key/, (key) => map.get(key)], ['map.has', /key/, (key) => map.has(key)],
    ['map.set', /key/, (key) => map.set(key, 1)], ['map.delete', /key/, (key) => map.delete(key)],
    ['records.get', /id/, (id) => records.get(id)], ['records.has', /id/, (id) => records.has(id)],
    ['records.set', /id/, (id) => records.set(id, {})], ['records.delete', /id/, (id) => records.delete(id)],
    ['records.move', /id/, (id) => records.move(id, { index: 0 })],
    ['move before', /before|place/, (id) => id !== null && records.move('a', { before: id })],
    ['move after', /after|place/, (id) => records.move('a', { after: id })],
  ];
  for (const [use, field, act] of uses) {
    for (const [what, name] of NAMES) {
      if (use === 'move before' && name === null) continue;
      await refused(fake, `${use} of ${what}`, () => act(name), 'INVALID_ARGUMENT', field);
    }
  }
});

const VALUES = [
  ['a function', () => 1], ['a symbol', Symbol('s')], ['a big integer', 1n], ['NaN', NaN], ['Infinity', -Infinity],
  ['a date', new Date()], ['a map', new Map()], ['bytes', new Uint8Array(2)], ['17 levels', nested(17)],
  ['a circle', circular()], ['half a surrogate pair', LONE], ['a proxy', new Proxy({}, {})],
  ['a getter that throws', { get x() { throw new Error('mine'); } }],
  ['a proxy that throws', new Proxy({}, { ownKeys() { throw new Error('mine'); } })],
  ['a key with half a surrogate pair', { [LONE]: 1 }], ['a key with NUL', { [NUL]: 1 }],
  ...RESERVED.map((key) => [`the key ${key}`, own(key, { polluted: true })]),
  ['a key of 1 MiB', { [MIB]: 1 }, 'TOO_LARGE|INVALID_ARGUMENT'],
  ['a text over 64 KiB', 'x'.repeat((64 << 10) + 1), 'TOO_LARGE'],
  ['many small values over 64 KiB', Array.from({ length: 1 << 16 }, () => 1), 'TOO_LARGE'],
  ['an array of a billion holes', (() => { const holes = []; holes.length = 1e9; return holes; })(), 'TOO_LARGE'],
];

test('values are refused by the field that holds them, before anything large is copied', async () => {
  const { client, fake } = await open();
  const text = client.text('t');
  const uses = [
    ['map.set', /value/, (value) => client.map('m').set('k', value)],
    ['map.set, nested', /value\.in/, (value) => client.map('m').set('k', { in: value })],
    ['list.insert', /values\[0\]/, (value) => client.list('l').insert(0, [value])],
    ['list.push', /values\[1\]/, (value) => client.list('l').push(1, value)],
    ['records.set', /fields\.f/, (value) => client.records('r').set('a', { f: value })],
    ['presence.set', /fields\.f/, (value) => client.presence.set({ f: value })],
    ['text.insert', /attributes\.a/, (value) => text.insert(0, 'x', { a: value })],
    ['text.format', /attributes\.a/, (value) => text.format(0, 1, { a: value })],
    ['send', /data\.f/, (value) => client.send({ type: 'operation', operation: 'UPDATE', data: { id: 'a', f: value } })],
  ];
  for (const [use, field, act] of uses) {
    for (const [what, value, code = 'INVALID_ARGUMENT'] of VALUES) {
      const before = fake.calls.filter(([name]) => !/^list/.test(name)).length;
      await assert.rejects(async () => act(value), (error) => {
        assert.ok(isPeersyncError(error) && code.split('|').includes(error.code), `${use} of ${what}: ${error.code} ${error.message}`);
        assert.match(error.message, /proxies/.test(error.message) ? /value|fields|attributes|message/ : field, `${use} of ${what}`);
        assert.ok(error.message.length < 500, `${use} of ${what}: a message of ${error.message.length}`);
        return true;
      });
      assert.equal(fake.calls.filter(([name]) => !/^list/.test(name)).length, before, `${use} of ${what} reached the module`);
    }
  }
  assert.equal({}.polluted, undefined);
});

test('values at the limits are taken', async () => {
  const { client } = await open();
  client.map('m').set('k', nested(16));
  client.records('r').set('é'.repeat(128), { f: nested(16), g: undefined, '😀': null });
  client.list('l').push(nested(16), 'x'.repeat(60_000));
  client.presence.set({ anything: [1, { '': 'an empty key is JSON' }] });
  client.text('t').insert(0, 'x'.repeat(1 << 20), { bold: true });
  assert.deepEqual(client.map('m').get('k'), nested(16));
});

test('numbers and other arguments are refused by name', async () => {
  const { client, fake } = await open();
  const [text, list, records] = [client.text('t'), client.list('l'), client.records('r')];
  const hostile = { toString() { throw new Error('mine'); } };
  for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 32, '0', null, hostile, Symbol('s'), 1n]) {
    const cases = [
      [() => text.insert(wrong, 'x'), /index/], [() => text.delete(wrong, 1), /index/], [() => text.delete(0, wrong), /length/],
      [() => text.format(wrong, 1, {}), /index/], [() => text.move(wrong, 0), /from/], [() => text.move(0, wrong), /to/],
      [() => text.move(0, 0, wrong), /length/], [() => text.cursor(wrong), /index/], [() => list.get(wrong), /index/],
      [() => list.insert(wrong, []), /index/], [() => list.delete(wrong), /index/], [() => list.delete(0, wrong), /length/],
      [() => records.move('a', { index: wrong }), /index|place/],
    ];
    for (const [attempt, field] of cases) await refused(fake, String(field), attempt, 'INVALID_ARGUMENT', field);
  }
  const others = [
    ['to inside the range', () => text.move(2, 3, 4), /to/],
    ['assoc', () => text.cursor(0, 0), /assoc/],
    ['cursor', () => text.index(7), /cursor/],
    ['a cursor with half a surrogate pair', () => text.index(LONE), /cursor/],
    ['text with half a surrogate pair', () => text.insert(0, LONE), /text/],
    ['text with NUL', () => text.insert(0, NUL), /text/],
    ['no text', () => text.insert(0), /text/],
    ['values', () => list.insert(0, 'abc'), /values/],
    ['undefined in a list', () => list.insert(0, [undefined]), /values/],
    ['undefined in a map', () => client.map('m').set('k', undefined), /value/],
    ['fields', () => records.set('a', 'x'), /fields/],
    ['fields as an array', () => records.set('a', []), /fields/],
    ['another id among the fields', () => records.set('a', { id: 'b' }), /id/],
    ['no place', () => records.move('a'), /place/],
    ['an empty place', () => records.move('a', {}), /place/],
    ['two places', () => records.move('a', { index: 0, before: 'b' }), /place/],
    ['before itself', () => records.move('a', { before: 'a' }), /before/],
    ['after itself', () => records.move('a', { after: 'a' }), /after/],
    ['options', () => client.records('other', null), /options/],
    ['deletePolicy', () => client.records('other', { deletePolicy: 'never' }), /deletePolicy/],
    ['another deletePolicy', () => client.records('r', { deletePolicy: 'update-wins' }), /deletePolicy/],
    ['presence', () => client.presence.set('here'), /fields/],
    ['presence as an array', () => client.presence.set([]), /fields/],
    ['no presence', () => client.presence.set(), /fields/],
  ];
  for (const [what, attempt, field] of others) await refused(fake, what, attempt, 'INVALID_ARGUMENT', field);
  await refused(fake, 'a text of 17 Mi', () => text.insert(0, 'x'.repeat(17 << 20)), 'TOO_LARGE', /text/);
  // What somebody else put there does not keep anyone from editing around it.
  fake.docs.set('t', NUL);
  text.replace(`${NUL}c`);
  fake.docs.set('t', 'ab');
  assert.throws(() => text.replace(NUL), failure('INVALID_ARGUMENT', /text/));
});

test('messages are refused by field, whatever stands in them', async () => {
  const { client, fake } = await open();
  const data = (data) => ({ type: 'operation', operation: 'INSERT', data });
  const cases = [
    ['nothing', undefined, /message/], ['null', null, /message/], ['a string', 'x'.repeat(1 << 20), /message/],
    ['a symbol', Symbol('s'), /message/], ['a function', () => 1, /message/],
    ['a getter', { get type() { throw new Error('mine'); } }, /message/],
    ['a circle', data(circular()), /data/],
    ['a reserved key', { ...data({ content: 'x' }), ...own('constructor') }, /message.*constructor/],
    ['a reserved key in data', data(own('prototype')), /data.*prototype/],
    ['half a surrogate pair', data({ content: LONE }), /content/],
    ['half a surrogate pair in a name', data({ content: 'x', doc: LONE }), /doc/],
    ['an infinite timestamp', { ...data({ content: 'x' }), timestamp: Infinity }, /timestamp/],
    ['a date', { ...data({ content: 'x' }), timestamp: new Date() }, /timestamp/],
  ];
  for (const [what, message, field] of cases) await refused(fake, what, () => client.send(message), 'INVALID_ARGUMENT', field);
  await refused(fake, 'a field over 64 KiB', () => client.send(data({ id: 'a', f: 'x'.repeat(1 << 17) })), 'TOO_LARGE', /data\.f/);
  await client.send(data({ content: 'x'.repeat(1 << 17) }));
});
