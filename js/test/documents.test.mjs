// Maps, lists, records, presence, undo: what the wrapper hands on and what it adds.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { BrowserSyncClient, failure, native, open, settled } from './support.mjs';

const URL = 'ws://localhost:8000/ws';
const KINDS = ['text', 'map', 'list', 'records'];

beforeEach(() => {
  native.auto = true;
});

test('one object per kind and name, also before connect, when all is empty', () => {
  const client = new BrowserSyncClient(URL);
  for (const kind of KINDS) {
    assert.equal(client[kind]('a'), client[kind]('a'));
    assert.notEqual(client[kind]('a'), client[kind]('b'));
    assert.equal(client[kind]('a').name, 'a');
  }
  const [map, list, records] = [client.map('a'), client.list('a'), client.records('a')];
  assert.deepEqual([map.get('k'), map.has('k'), map.keys(), map.entries(), map.size, map.toJSON()], [undefined, false, [], [], 0, {}]);
  assert.deepEqual([list.get(0), list.length, list.toArray(), list.toJSON()], [undefined, 0, [], []]);
  assert.deepEqual([records.get('k'), records.has('k'), records.ids(), records.values(), records.size], [undefined, false, [], [], 0]);
  assert.deepEqual(client.toJSON(), { texts: {}, maps: {}, lists: {}, records: {} });
  assert.deepEqual([client.canUndo, client.canRedo, client.presence.others().size], [false, false, 0]);
});

test('before connect edits say what they need, after close everything says so', async () => {
  const early = new BrowserSyncClient(URL);
  for (const attempt of [
    () => early.map('a').set('k', 1), () => early.list('a').push(1), () => early.records('a').set('k', {}),
    () => early.text('a').cursor(0), () => early.undo(), () => early.redo(),
  ]) {
    assert.throws(attempt, failure('NOT_CONNECTED', /await client\.open\(\)/));
  }
  early.checkpoint();
  const { client } = await open();
  const [map, list, records, text] = [client.map('a'), client.list('a'), client.records('a'), client.text('a')];
  await client.close();
  for (const attempt of [
    () => map.set('k', 1), () => map.get('k'), () => map.size, () => list.push(1), () => list.toArray(), () => records.ids(),
    () => records.delete('k'), () => text.authors(), () => text.index('x'), () => client.map('a'), () => client.records('a'),
    () => client.undo(), () => client.checkpoint(), () => client.toJSON(), () => client.presence.set({}),
    () => client.presence.get(), () => client.presence.others(),
  ]) {
    assert.throws(attempt, failure('CLOSED'));
  }
  assert.deepEqual([client.canUndo, client.canRedo], [false, false]);
});

test('maps: set, read, delete, observe', async () => {
  const { client, fake } = await open();
  const map = client.map('m');
  const seen = [];
  map.observe((event) => seen.push(event));
  assert.equal(map.set('b', { deep: [1] }), 1);
  assert.equal(map.set('a', null), 2);
  assert.deepEqual([map.get('a'), map.has('a'), map.has('c'), map.keys(), map.size], [null, true, false, ['a', 'b'], 2]);
  assert.deepEqual(map.toJSON(), { a: null, b: { deep: [1] } });
  assert.equal(map.delete('a'), 3);
  fake.emit({ type: 'map', map: 'm', changes: [{ key: 'z', action: 'delete' }], origin: 'remote', author: 'them', id: '9' });
  await settled();
  assert.deepEqual(seen.map(({ changes, origin }) => [changes, origin]), [
    [[{ key: 'b', action: 'set', value: { deep: [1] } }], 'local'],
    [[{ key: 'a', action: 'set', value: null }], 'local'],
    [[{ key: 'a', action: 'delete' }], 'local'],
    [[{ key: 'z', action: 'delete' }], 'remote'],
  ]);
});

test('lists: insert, push, delete, observe', async () => {
  const { client } = await open();
  const list = client.list('l');
  const seen = [];
  list.observe(({ delta }) => seen.push(delta));
  list.insert(0, ['a', { b: 1 }]);
  list.push('c', 'd');
  list.delete(1);
  assert.deepEqual([list.toArray(), list.get(1), list.get(9), list.length], [['a', 'c', 'd'], 'c', undefined, 3]);
  assert.deepEqual(JSON.parse(JSON.stringify(list)), ['a', 'c', 'd']);
  await settled();
  assert.deepEqual(seen, [
    [{ retain: 0 }, { insert: ['a', { b: 1 }] }], [{ retain: 2 }, { insert: ['c', 'd'] }], [{ retain: 1 }, { delete: 1 }],
  ]);
});

test('records: set merges, order, delete with its policy, observe', async () => {
  const { client, fake } = await open();
  const records = client.records('r', { deletePolicy: 'update-wins' });
  assert.equal(client.records('r'), records);
  const seen = [];
  records.observe(({ changes }) => seen.push(...changes));
  for (const id of ['a', 'b', 'c']) records.set(id, { x: 1, id });
  records.set('a', { x: undefined, y: 2 });
  records.move('a', { before: null });
  records.move('c', { before: 'b' });
  records.move('b', { index: 2 });
  records.move('c', { after: 'a' });
  assert.deepEqual(records.ids(), ['a', 'c', 'b']);
  assert.deepEqual(records.get('a'), { id: 'a', y: 2 });
  records.delete('c');
  assert.deepEqual(JSON.parse(JSON.stringify(records)), [{ id: 'a', y: 2 }, { id: 'b', x: 1 }]);
  assert.equal(records.size, 2);
  assert.deepEqual(fake.called('recordSet')[0], ['recordSet', 'r', 'a', { x: 1 }], 'the id is no field');
  assert.deepEqual(fake.called('recordDelete'), [['recordDelete', 'r', 'c', true]]);
  await settled();
  assert.deepEqual(seen.map(({ type, id }) => `${type} ${id}`), [
    'insert a', 'insert b', 'insert c', 'update a', 'move a', 'move c', 'move b', 'move c', 'delete c',
  ]);
});

test('texts: move, cursors, authors', async () => {
  const { client, fake } = await open();
  const text = client.text('t');
  text.insert(0, 'Hello');
  assert.equal(text.move(0, 5), 2);
  assert.equal(text.toString(), 'elloH');
  assert.deepEqual(fake.called('textMove'), [['textMove', 't', 0, 5, 1]]);
  assert.equal(text.index(text.cursor(2, -1)), 2);
  assert.deepEqual(fake.called('textCursor'), [['textCursor', 't', 2, -1]]);
  assert.equal(text.index('nonsense'), undefined);
  assert.deepEqual(text.authors(), [{ length: 5, author: 'me' }]);
});

test('presence: merged before connect and after, told of others by both ways', async () => {
  const client = new BrowserSyncClient(URL);
  client.presence.set({ name: 'Ada', color: 'red', cursor: 1 });
  client.presence.set({ color: null, cursor: undefined, drag: { id: 'a' } });
  assert.deepEqual(client.presence.get(), { name: 'Ada', drag: { id: 'a' } });
  await client.connect();
  const fake = native.clients.at(-1);
  const calls = fake.calls.map(([name]) => name);
  assert.ok(calls.indexOf('presenceSet') < calls.indexOf('connect'), 'told before dialing');
  assert.deepEqual(fake.called('presenceSet'), [['presenceSet', { name: 'Ada', drag: { id: 'a' } }]]);
  client.presence.set({ drag: null });
  assert.deepEqual(client.presence.get(), { name: 'Ada' });
  fake.presences = [['p', { name: 'Bob' }]];
  const others = client.presence.others();
  assert.deepEqual([...others], [['p', { name: 'Bob' }]]);
  others.clear();
  assert.equal(client.presence.others().size, 1);
  const seen = [];
  client.presence.observe((event) => seen.push(event));
  client.on('presence', (event) => seen.push(event));
  fake.emit({ type: 'presence', peerId: 'p', state: { name: 'Bob' } }, { type: 'presence', peerId: 'p', state: undefined });
  await settled();
  const [came, left] = [{ peerId: 'p', state: { name: 'Bob' } }, { peerId: 'p', state: undefined }];
  assert.deepEqual(seen, [came, came, left, left]);
  client.presence.set(null);
  assert.deepEqual(client.presence.get(), {});
});

test('presence that was set early has the limits of the module, and what is over them changes nothing', async () => {
  const client = new BrowserSyncClient(URL);
  client.presence.set({ name: 'Ada' });
  const over = (fields, code, message) => assert.throws(() => client.presence.set(fields), failure(code, message));
  over({ note: 'x'.repeat(5_000) }, 'TOO_LARGE', /presence.*4096/);
  over({ points: Array.from({ length: 460 }, () => 0.5) }, 'TOO_LARGE', /presence/);
  over({ note: '😀'.repeat(1_100) }, 'TOO_LARGE', /presence/);
  over({ '': 1 }, 'INVALID_ARGUMENT', /key of fields/);
  over({ points: [{ at: [undefined] }] }, 'INVALID_ARGUMENT', /undefined in an array/);
  assert.deepEqual(client.presence.get(), { name: 'Ada' });
  // A tag and a count, a key of one letter, a tag and a length of two bytes: so much is left of 4,096.
  client.presence.set({ name: null, a: 'x'.repeat(4_089) });
  over({ a: 'x'.repeat(4_090) }, 'TOO_LARGE', /presence/);
  over({ b: null, c: true }, 'TOO_LARGE', /presence/);
  client.presence.set({ a: null, points: Array.from({ length: 450 }, () => -0.5) });
  await client.connect();
  assert.equal(client.presence.get().points.length, 450);
});

test('of presence that was set early and is refused later, the other fields stay', async () => {
  const client = new BrowserSyncClient(URL);
  client.presence.set({ name: 'Ada', note: 'refused', color: 'red' });
  const told = client.once('error');
  const { FakeNativeClient } = await import('./support.mjs');
  const { presenceSet } = FakeNativeClient.prototype;
  FakeNativeClient.prototype.presenceSet = function (fields) {
    if (fields?.note) throw { code: 'INVALID_ARGUMENT', message: 'note: no' };
    presenceSet.call(this, fields);
  };
  try {
    await client.connect();
    assert.ok(failure('INVALID_ARGUMENT', /note/)(await told));
    assert.deepEqual(client.presence.get(), { name: 'Ada', color: 'red' });
  } finally {
    FakeNativeClient.prototype.presenceSet = presenceSet;
  }
});

test('presence that was set early and is refused later is an error event', async () => {
  const client = new BrowserSyncClient(URL);
  client.presence.set({ name: 'x' });
  const told = client.once('error');
  const { FakeNativeClient } = await import('./support.mjs');
  const { presenceSet } = FakeNativeClient.prototype;
  FakeNativeClient.prototype.presenceSet = () => {
    throw { code: 'TOO_LARGE', message: 'presence is over its limit' };
  };
  try {
    await client.connect();
    assert.ok(failure('TOO_LARGE')(await told));
  } finally {
    FakeNativeClient.prototype.presenceSet = presenceSet;
  }
});

test('presence by send is never stored: it resolves at once and is kept nowhere', async () => {
  native.auto = false;
  const { client, fake } = await open();
  fake.arrive();
  const ack = await client.send({ type: 'operation', operation: 'UPDATE', data: { cursor_position: { x: 1 }, name: 'Ada' } });
  assert.deepEqual(ack, { id: 'presence', durability: 'none', by: 'own-peer' });
  assert.deepEqual(client.presence.get(), { cursor_position: { x: 1 }, name: 'Ada' });
  assert.equal(client.pending, 0);
});

test('undo, redo, and who is told', async () => {
  const { client } = await open();
  const history = [];
  client.on('history', ({ canUndo, canRedo }) => history.push([canUndo, canRedo]));
  assert.equal(client.undo(), false);
  client.text('t').insert(0, 'x');
  assert.deepEqual([client.canUndo, client.canRedo], [true, false]);
  assert.equal(client.undo(), true);
  assert.deepEqual([`${client.text('t')}`, client.canUndo, client.canRedo], ['', false, true]);
  assert.equal(client.redo(), true);
  assert.equal(`${client.text('t')}`, 'x');
  await settled();
  assert.deepEqual(history, [[true, false], [false, true], [true, false]]);
});

test('the whole room as JSON', async () => {
  const { client } = await open();
  client.text('t').insert(0, 'x');
  client.map('m').set('k', 1);
  client.list('l').push(1);
  client.records('r').set('a', { y: 2 });
  const content = { texts: { t: 'x' }, maps: { m: { k: 1 } }, lists: { l: [1] }, records: { r: [{ id: 'a', y: 2 }] } };
  assert.deepEqual(JSON.parse(JSON.stringify(client)), content);
});

test('observers of one document hear of no other, and events of unknown ones reach nobody', async () => {
  const { client, fake } = await open();
  for (const kind of KINDS) client[kind]('a').observe(() => assert.fail(kind));
  for (const kind of KINDS) {
    const origin = { origin: 'remote', author: 'them', id: '1' };
    const name = { text: 'doc', records: 'collection' }[kind] ?? kind;
    fake.emit({ type: kind, [name]: 'b', delta: [], changes: [], ...origin });
  }
  await settled();
});
