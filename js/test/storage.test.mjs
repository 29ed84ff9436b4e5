// What a client says about where its edits are: on this device, at the backend.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { BrowserSyncClient, failure, native, open, settled } from './support.mjs';

const URL = 'ws://localhost:8000/ws';
const insert = (content = 'x') => ({ type: 'operation', operation: 'INSERT', data: { content } });

beforeEach(() => {
  native.auto = false;
  native.opening = undefined;
  native.restored = false;
  native.had = {};
  mock.method(console, 'warn', () => {});
});
afterEach(() => mock.restoreAll());

/** A client that has been opened and not connected. */
async function openOnly(options) {
  const client = new BrowserSyncClient(URL, options);
  await client.open({ timeoutMs: 1_000 });
  return { client, fake: native.clients.at(-1) };
}

test('open resolves when edits are possible, and dials nothing', async () => {
  const client = new BrowserSyncClient(URL);
  const opened = [];
  client.on('opened', (event) => opened.push(event));
  await Promise.all([client.open(), client.open()]);
  const fake = native.clients.at(-1);
  assert.deepEqual(opened, [{ restored: false }]);
  assert.equal(fake.called('connect').length, 0);
  assert.equal(client.status, 'disconnected');
  client.text('a').insert(0, 'offline');
  const connected = client.connect();
  assert.equal(client.status, 'connecting');
  await settled();
  assert.equal(fake.called('connect').length, 1);
  fake.arrive();
  await connected;
  assert.equal(native.clients.at(-1), fake);
  assert.equal(opened.length, 1);
});

test('connect resolves from what this device has; synced tells whether the backend was heard', async () => {
  native.restored = true;
  const client = new BrowserSyncClient(URL);
  const opened = client.once('opened');
  await client.connect({ timeoutMs: 1_000 });
  assert.deepEqual(await opened, { restored: true });
  assert.equal(client.synced, false);
});

test('observers are told what this device had, once, before the client counts as opened', async () => {
  const client = new BrowserSyncClient(URL);
  const told = [];
  client.text('notes').observe((event) => told.push(event));
  client.map('settings').observe((event) => told.push(event));
  client.list('jobs').observe((event) => told.push(event));
  client.records('shapes').observe((event) => told.push(event));
  client.text('empty').observe((event) => told.push(event));
  client.on('opened', () => told.push('opened'));
  native.had = { docs: { notes: 'Hi' }, maps: { settings: { a: 1 } }, lists: { jobs: ['dig'] }, collections: { shapes: [{ id: 's', x: 1 }, { id: 't' }] } };
  await client.open();
  const origin = { origin: 'remote', author: '', id: '' };
  assert.deepEqual(told, [
    { delta: [{ insert: 'Hi' }], ...origin },
    { changes: [{ key: 'a', action: 'set', value: 1 }], ...origin },
    { delta: [{ insert: ['dig'] }], ...origin },
    { changes: [{ type: 'insert', id: 's', value: { id: 's', x: 1 }, before: null }, { type: 'insert', id: 't', value: { id: 't' }, before: null }], ...origin },
    'opened',
  ]);
});

test('open rejects as connect does', async () => {
  await assert.rejects(new BrowserSyncClient('/bad').open(), failure('INVALID_ADDRESS'));
  await assert.rejects(new BrowserSyncClient(URL).open(null), failure('INVALID_ARGUMENT', /options/));
  await assert.rejects(new BrowserSyncClient(URL).open({ signal: AbortSignal.abort() }), failure('ABORTED'));
  native.opening = new Promise(() => {});
  await assert.rejects(new BrowserSyncClient(URL).open({ timeoutMs: 5 }), failure('TIMEOUT', /'default' was not opened within 5 ms/));
});

test('a client that is closed while it opens is closed below, too', async () => {
  let answer;
  native.opening = new Promise((resolve) => (answer = resolve));
  const client = new BrowserSyncClient(URL);
  const before = native.clients.length;
  const opened = assert.rejects(client.open(), failure('CLOSED'));
  const connected = assert.rejects(client.connect(), failure('CLOSED'));
  while (native.clients.length === before) await settled();
  await client.close();
  await Promise.all([opened, connected]);
  answer();
  await settled();
  assert.deepEqual(native.clients.at(-1).calls.slice(-2), [['close'], ['free']]);
  assert.equal(native.clients.at(-1).called('connect').length, 0);
});

test('syncStatus tells where own edits are, and the event when that changes', async () => {
  const { client, fake, connected } = await open();
  connected.catch(() => {});
  const told = [];
  client.on('syncStatus', ({ local, backend }) => told.push(`${local} ${backend}`));
  assert.deepEqual(client.syncStatus, { local: 'stored', backend: 'stored', oldestPendingMs: null });
  client.text('a').insert(0, 'x');
  assert.deepEqual(client.syncStatus, { local: 'storing', backend: 'offline', oldestPendingMs: 0 });
  fake.emit({ type: 'saved', unsaved: 1 }, { type: 'pending', pending: 1 });
  await settled();
  fake.store();
  await settled();
  fake.oldestPendingMs = 5_000;
  assert.deepEqual(client.syncStatus, { local: 'stored', backend: 'offline', oldestPendingMs: 5_000 });
  fake.emit({ type: 'pending', pending: 1 });
  fake.arrive();
  await settled();
  fake.ack();
  await settled();
  assert.deepEqual(told, ['storing offline', 'stored offline', 'stored sending', 'stored stored']);
  client.text('a').insert(0, 'x');
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  await client.close();
  assert.deepEqual(client.syncStatus, { local: 'storing', backend: 'offline', oldestPendingMs: 5_000 });
});

test('without storage nothing is said to be on this device', async () => {
  const { client, fake } = await openOnly({ persistence: 'memory' });
  assert.equal(fake.options.persistence, 'memory');
  assert.equal(client.syncStatus.local, 'memory');
  const ack = await client.send(insert(), { until: 'local', timeoutMs: 1_000 });
  assert.deepEqual([ack.durability, ack.by], ['none', 'own-peer']);
  assert.deepEqual(client.syncStatus, { local: 'memory', backend: 'offline', oldestPendingMs: 0 });
  assert.equal(new BrowserSyncClient(URL, { persistence: 'memory' }).syncStatus.local, 'memory');
});

test('storage that is lost is told, and who waits for it is told the truth', async () => {
  const { client, fake } = await openOnly();
  const told = [];
  client.on('storage', (event) => told.push(event));
  client.on('error', ({ code }) => told.push(code));
  const stored = client.send(insert(), { until: 'local' });
  fake.store();
  assert.equal((await stored).durability, 'local');
  const lost = client.send(insert(), { until: 'local' });
  const sent = client.send(insert());
  fake.setMode('memory', 'STORAGE_FULL');
  fake.emit({ type: 'error', code: 'STORAGE_FULL', message: 'the disk is full' });
  assert.equal((await lost).durability, 'none');
  await settled();
  assert.equal(client.syncStatus.local, 'memory');
  fake.setMode('indexeddb');
  fake.store();
  await settled();
  assert.equal(client.syncStatus.local, 'stored');
  assert.deepEqual(told, [{ mode: 'memory', reason: 'STORAGE_FULL' }, 'STORAGE_FULL', { mode: 'indexeddb' }]);
  fake.ack(3);
  assert.equal((await sent).durability, 'backend');
});

test('an ack event comes for each step up', async () => {
  const { client, fake } = await openOnly();
  const acks = [];
  client.on('ack', ({ ids, durability, by }) => acks.push([durability, by, ...ids]));
  const sent = client.send({ ...insert(), id: 'mine' });
  fake.store();
  await settled();
  fake.ack(1, 'peer');
  fake.ack(1);
  assert.equal((await sent).durability, 'backend');
  assert.deepEqual(acks, [['local', 'own-peer', 'mine'], ['peer', 'backend-peer', 'mine'], ['backend', 'backend-peer', 'mine']]);
});

test('a page that is hidden, frozen or left stores and sends what it can', async () => {
  const target = new EventTarget();
  const page = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  globalThis.addEventListener = target.addEventListener.bind(target);
  globalThis.removeEventListener = target.removeEventListener.bind(target);
  globalThis.document = page;
  try {
    const { client, fake } = await openOnly();
    page.dispatchEvent(new Event('visibilitychange'));
    page.dispatchEvent(new Event('freeze'));
    target.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }));
    target.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
    assert.deepEqual(fake.called('pagehide').map(([, persisted]) => persisted), [true, true, true, false]);
    const closed = client.close();
    page.dispatchEvent(new Event('freeze'));
    await closed;
    assert.equal(fake.called('pagehide').length, 4);
  } finally {
    delete globalThis.document;
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});
