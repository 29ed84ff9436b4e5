import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { BrowserSyncClient, PeersyncError, failure, isPeersyncError, native, open, settled } from './support.mjs';

const URL = 'ws://localhost:8000/ws';
const insert = (content = 'x') => ({ type: 'operation', operation: 'INSERT', data: { content } });

beforeEach(() => {
  native.auto = true;
});
afterEach(() => mock.restoreAll());

test('the constructor checks the address', () => {
  for (const good of [URL, 'wss://a.example/some/path?x=1', '/ip4/127.0.0.1/tcp/8000/ws', '/dns4/a.example/tcp/443/wss/p2p/12D3']) {
    assert.equal(new BrowserSyncClient(good).status, 'disconnected');
  }
  assert.throws(() => new BrowserSyncClient('http://localhost:8000/ws'), failure('INVALID_ADDRESS', /ws:\/\//));
  assert.throws(() => new BrowserSyncClient('localhost'), failure('INVALID_ADDRESS', /neither a URL nor a multiaddr/));
  assert.throws(() => new BrowserSyncClient(''), failure('INVALID_ADDRESS'));
  assert.throws(() => new BrowserSyncClient(undefined), failure('INVALID_ADDRESS'));
});

test('the constructor checks each option and names the wrong one', () => {
  const make = (options) => () => new BrowserSyncClient(URL, options);
  assert.throws(make(null), failure('INVALID_ARGUMENT', /options/));
  assert.throws(make({ room: '' }), failure('INVALID_ARGUMENT', /room/));
  assert.throws(make({ clientId: 7 }), failure('INVALID_ARGUMENT', /clientId/));
  assert.throws(make({ token: {} }), failure('INVALID_ARGUMENT', /token/));
  assert.throws(make({ identity: new Uint8Array(31) }), failure('INVALID_ARGUMENT', /identity.*32/));
  for (const persistence of ['localStorage', true, null]) assert.throws(make({ persistence }), failure('INVALID_ARGUMENT', /persistence/));
  assert.throws(make({ shareUplink: 'no' }), failure('INVALID_ARGUMENT', /shareUplink/));
  for (const dbName of ['', 7, '\0']) assert.throws(make({ dbName }), failure('INVALID_ARGUMENT', /dbName/));
  assert.throws(make({ debug: 1 }), failure('INVALID_ARGUMENT', /debug/));
  assert.throws(make({ signal: {} }), failure('INVALID_ARGUMENT', /signal/));
  assert.throws(make({ rooom: 'a' }), failure('INVALID_ARGUMENT', /'rooom'.*room/));
  assert.throws(make({ secret: 'a' }), failure('UNSUPPORTED', /'secret'/));
});

test('options reach the module with their defaults', async () => {
  const identity = new Uint8Array(32).fill(7);
  const { fake, client } = await open({ clientId: 'tablet', token: 't', identity, debug: true });
  const defaults = { room: 'default', persistence: 'indexeddb', shareUplink: true, dbName: 'peersync' };
  assert.deepEqual(fake.options, { url: URL, ...defaults, clientId: 'tablet', token: 't', identity });
  assert.notEqual(fake.options.identity, identity);
  assert.equal(client.peerId, 'own-peer');
  assert.equal(client.author, 'me');
});

test('connect resolves when the room has arrived, not before', async () => {
  native.auto = false;
  const { client, connected, fake } = await open();
  let resolved = false;
  void connected.then(() => (resolved = true));
  fake.emit({ type: 'status', status: 'connected' }, { type: 'connected', peerId: 'b' }, { type: 'synced', synced: false });
  await settled();
  assert.equal(resolved, false);
  assert.equal(client.status, 'connected');
  fake.arrive();
  await connected;
  assert.equal(client.synced, true);
  await client.connect();
});

test('connect is idempotent: one module, one client, one dial', async () => {
  const client = new BrowserSyncClient(URL);
  const before = native.clients.length;
  await Promise.all([client.connect(), client.connect(), client.connect()]);
  await client.connect();
  assert.equal(native.clients.length, before + 1);
  assert.equal(native.loads.length, 1);
  assert.equal(native.clients.at(-1).called('connect').length, 1);
});

test('connect gives up waiting with TIMEOUT, says why, and dialing goes on', async () => {
  native.auto = false;
  const client = new BrowserSyncClient(URL);
  const connected = client.connect({ timeoutMs: 20 });
  await settled();
  const fake = native.clients.at(-1);
  fake.emit({ type: 'disconnected', reason: 'connection refused' });
  await assert.rejects(connected, (error) => {
    return failure('TIMEOUT', /20 ms.*connection refused/)(error) && isPeersyncError(error.cause, 'CONNECTION_FAILED');
  });
  const again = client.connect();
  fake.arrive();
  await again;
});

test('connect can be aborted, also before it starts', async () => {
  native.auto = false;
  const before = native.clients.length;
  const client = new BrowserSyncClient(URL);
  await assert.rejects(client.connect({ signal: AbortSignal.abort() }), failure('ABORTED'));
  await settled();
  assert.equal(native.clients.length, before);
  const controller = new AbortController();
  const connected = client.connect({ signal: controller.signal });
  controller.abort('stop');
  await assert.rejects(connected, (error) => failure('ABORTED')(error) && error.cause === 'stop');
});

for (const code of ['PEER_ID_MISMATCH', 'ROOM_REFUSED', 'UNSUPPORTED']) {
  test(`connect rejects with ${code} at once`, async () => {
    native.auto = false;
    const { connected, fake } = await open();
    fake.emit({ type: 'error', code, message: 'no' });
    await assert.rejects(connected, failure(code));
  });
}

test('connect rejects when the module refuses the address', async () => {
  await assert.rejects(new BrowserSyncClient('/bad').connect(), failure('INVALID_ADDRESS', /multiaddr/));
});

test('data is kept until the first listener, snapshot first, then passed on', async () => {
  const { client, fake } = await open();
  const message = (id) => ({ type: 'data', envelope: { type: 'operation', operation: 'INSERT', id, data: {} } });
  fake.emit(message('a'));
  await settled();
  assert.equal(client.stats().dataBuffered, 2);
  const seen = [];
  client.on('data', ({ id }) => seen.push(id));
  assert.deepEqual(seen, []);
  fake.emit(message('b'));
  await settled();
  fake.emit(message('c'));
  await settled();
  assert.deepEqual(seen, ['s', 'a', 'b', 'c']);
  assert.equal(client.stats().dataBuffered, 0);
});

test('once takes one kept message and leaves the rest', async () => {
  const { client, fake } = await open();
  fake.emit({ type: 'data', envelope: { type: 'operation', id: 'a' } });
  await settled();
  assert.equal((await client.once('data')).id, 's');
  assert.equal((await client.once('data')).id, 'a');
});

test('the buffer of data is bounded, keeps the snapshot and counts what it drops', async () => {
  const { client, fake } = await open();
  for (let index = 0; index < 1_005; index += 1) fake.emit({ type: 'data', envelope: { type: 'operation', id: `${index}` } });
  await settled();
  const { dataBuffered, dataDropped } = client.stats();
  assert.deepEqual({ dataBuffered, dataDropped }, { dataBuffered: 1_000, dataDropped: 6 });
  const seen = [];
  client.on('data', ({ id }) => seen.push(id));
  await settled();
  assert.deepEqual([seen[0], seen[1], seen.at(-1)], ['s', '6', '1004']);
});

test('operation events are the data messages of that type', async () => {
  const { client, fake } = await open();
  const seen = [];
  client.on('operation', ({ id }) => seen.push(id));
  fake.emit({ type: 'data', envelope: { type: 'operation', id: 'a' } }, { type: 'data', envelope: { type: 'peer_event', id: 'b' } });
  await settled();
  assert.deepEqual(seen, ['a']);
});

test('send resolves at the durability asked for, and an ack covers what came before', async () => {
  native.auto = false;
  const { client, fake } = await open();
  fake.arrive();
  const settledWith = [];
  const track = (name, promise) => promise.then((ack) => settledWith.push([name, ack.durability]));
  void track('backend', client.send(insert()));
  void track('peer', client.send(insert(), { until: 'peer' }));
  void track('local', client.send(insert(), { until: 'local' }));
  const acks = [];
  client.on('ack', (ack) => acks.push(ack));
  await settled();
  assert.deepEqual(settledWith, []);
  fake.store(3);
  await settled();
  assert.deepEqual(settledWith, [['local', 'local']]);
  fake.ack(2, 'peer');
  await settled();
  assert.deepEqual(settledWith.at(-1), ['peer', 'peer']);
  fake.ack(3, 'backend');
  await settled();
  assert.deepEqual(settledWith.at(-1), ['backend', 'backend']);
  assert.deepEqual(acks.map(({ ids, durability }) => [ids.length, durability]), [[3, 'local'], [2, 'peer'], [3, 'backend']]);
  assert.deepEqual(acks[2], { seq: 3, ids: ['id-1', 'id-2', 'id-3'], durability: 'backend', by: 'backend-peer' });
});

test('what is already on disk needs no other ack', async () => {
  const { fake, client } = await open();
  fake.emit({ type: 'ack', seq: 100, durability: 'backend', by: 'backend-peer' });
  await settled();
  const ack = await client.send(insert(), { timeoutMs: 1_000 });
  assert.deepEqual([ack.durability, ack.by], ['backend', 'backend-peer']);
});

test('send of what changes nothing resolves, also as the first of a client', async () => {
  native.auto = false;
  const { client, fake } = await open();
  const nothing = { type: 'operation', operation: 'UPDATE', data: { document: '' } };
  assert.deepEqual(await client.send({ ...nothing, id: 'offline' }, { timeoutMs: 1_000 }), { id: 'offline', durability: 'backend', by: 'own-peer' });
  fake.arrive();
  await settled();
  for (const until of ['backend', 'peer']) {
    const ack = await client.send(nothing, { until, timeoutMs: 1_000 });
    assert.deepEqual([ack.durability, ack.by], [until, 'backend-peer']);
  }
  assert.deepEqual(await client.send({ ...nothing, id: 'here' }, { until: 'local' }), { id: 'here', durability: 'local', by: 'own-peer' });
  // Behind an operation it is as safe as that one.
  const first = client.send(insert());
  let safe = false;
  const second = client.send(nothing).then(() => (safe = true));
  await settled();
  assert.equal(safe, false);
  fake.ack(1);
  await Promise.all([first, second]);
  assert.ok(await client.send(nothing, { timeoutMs: 1_000 }));
});

test('an id is taken once; that of a message that was refused stays free', async () => {
  const { client, fake } = await open();
  await client.send({ ...insert(), id: 'mine' });
  await assert.rejects(client.send({ ...insert(), id: 'mine' }), failure('INVALID_ARGUMENT', /^id /));
  assert.equal(fake.called('send').length, 1);
  await assert.rejects(client.send({ type: 'operation', operation: 'INSERT', id: 'other' }), failure('INVALID_ARGUMENT', /data/));
  await client.send({ ...insert(), id: 'other' });
  await client.send({ type: 'operation', operation: 'UPDATE', data: { cursor_position: 1 }, id: 'cursor' });
  await assert.rejects(client.send({ ...insert(), id: 'cursor' }), failure('INVALID_ARGUMENT', /^id /));
  for (let sent = 0; sent < 1_023; sent += 1) await client.send({ ...insert(), id: `id ${sent}` }, { until: 'local' });
  await assert.rejects(client.send({ ...insert(), id: 'cursor' }), failure('INVALID_ARGUMENT', /^id /));
  await client.send({ ...insert(), id: 'mine' }, { until: 'local' });
  // Of another client it may be the same.
  await (await open()).client.send({ ...insert(), id: 'cursor' });
});

test('options that are none are refused by name', async () => {
  const { client } = await open();
  for (const wrong of [null, 7, 'soon', []]) {
    for (const attempt of [() => client.send(insert(), wrong), () => client.connect(wrong), () => client.once('data', wrong)]) {
      await assert.rejects(attempt, failure('INVALID_ARGUMENT', /options/));
    }
  }
  for (const attempt of [() => client.send(insert(), { signal: {} }), () => client.connect({ signal: {} })]) {
    await assert.rejects(attempt, failure('INVALID_ARGUMENT', /signal/));
  }
});

test('send resolves with the id of the message', async () => {
  const { client, connected } = await open();
  await connected;
  const ack = await client.send({ ...insert(), id: 'mine' });
  assert.deepEqual(ack, { id: 'mine', durability: 'backend', by: 'backend-peer' });
});

test('send rejects when refused; another refusal is an error event', async () => {
  native.auto = false;
  const { client, fake } = await open();
  fake.arrive();
  const first = client.send(insert());
  const second = client.send(insert());
  fake.emit({ type: 'refused', seq: 1, code: 'ROOM_FULL', message: 'the room is full' });
  await assert.rejects(first, failure('ROOM_FULL', /full/));
  fake.ack(2);
  await second;
  const seq = client.text('a').insert(0, 'x');
  const error = client.once('error');
  fake.emit({ type: 'refused', seq, code: 'some_new_reason', message: 'no' });
  assert.ok(failure('REFUSED')(await error));
});

test('send passes on what the module says about the envelope', async () => {
  const { client } = await open();
  await assert.rejects(client.send({ type: 'operation', operation: 'INSERT' }), failure('INVALID_ARGUMENT', /data/));
  await assert.rejects(client.send('INSERT'), failure('INVALID_ARGUMENT', /object.*INSERT/));
  await assert.rejects(client.send(null), failure('INVALID_ARGUMENT', /object/));
  await assert.rejects(client.send(insert(), { until: 'never' }), failure('INVALID_ARGUMENT', /until/));
});

test('send can time out or be aborted; an aborted signal sends nothing', async () => {
  native.auto = false;
  const { client, fake } = await open();
  fake.arrive();
  await assert.rejects(client.send(insert(), { timeoutMs: 5 }), failure('TIMEOUT', /acknowledged within 5 ms/));
  const controller = new AbortController();
  const sent = client.send(insert(), { signal: controller.signal });
  controller.abort();
  await assert.rejects(sent, failure('ABORTED'));
  await assert.rejects(client.send(insert(), { signal: AbortSignal.abort() }), failure('ABORTED'));
  assert.equal(fake.called('send').length, 2);
});

test('before connect, what needs the module says so', async () => {
  const client = new BrowserSyncClient(URL);
  await assert.rejects(client.send(insert()), failure('NOT_CONNECTED', /await client\.open\(\)/));
  assert.throws(() => client.text('a').insert(0, 'x'), failure('NOT_CONNECTED', /await client\.open\(\)/));
  assert.deepEqual([client.status, client.synced, client.pending, client.peers, client.peerId], ['disconnected', false, 0, [], undefined]);
  assert.deepEqual(client.stats(), { dataBuffered: 0, dataDropped: 0 });
});

test('close flushes, frees once, and later calls fail with CLOSED', async () => {
  const { client, fake } = await open();
  const text = client.text('a');
  await Promise.all([client.close(), client.close()]);
  await client.close();
  assert.deepEqual(fake.calls.slice(-2), [['close'], ['free']]);
  assert.equal(client.status, 'closed');
  await assert.rejects(client.connect(), failure('CLOSED'));
  await assert.rejects(client.send(insert()), failure('CLOSED'));
  assert.throws(() => client.text('a'), failure('CLOSED'));
  assert.throws(() => client.stats(), failure('CLOSED'));
  assert.throws(() => text.insert(0, 'x'), failure('CLOSED'));
  assert.throws(() => text.toString(), failure('CLOSED'));
  assert.deepEqual([client.synced, client.peers], [false, []]);
});

test('close rejects a waiting connect, and a send that the flush did not save', async () => {
  native.auto = false;
  const { client, connected, fake } = await open();
  let flushed;
  fake.closing = new Promise((resolve) => (flushed = resolve));
  const saved = client.send(insert());
  const lost = client.send(insert());
  const rejected = [assert.rejects(connected, failure('CLOSED')), assert.rejects(lost, failure('CLOSED'))];
  const closed = client.close();
  fake.ack(1);
  await saved;
  flushed();
  await closed;
  await Promise.all(rejected);
  assert.equal(client.pending, 1);
});

test('close while loading, before connect, and by signal', async () => {
  const loading = new BrowserSyncClient(URL);
  const before = native.clients.length;
  const connected = loading.connect();
  const rejected = assert.rejects(connected, failure('CLOSED'));
  await loading.close();
  await rejected;
  await settled();
  assert.equal(native.clients.length, before);

  const controller = new AbortController();
  const { client } = await open({ signal: controller.signal });
  controller.abort();
  await settled();
  assert.equal(client.status, 'closed');
  await assert.rejects(new BrowserSyncClient(URL, { signal: AbortSignal.abort() }).connect(), failure('CLOSED'));
});

test('a failing close is told, and the client is closed all the same', async () => {
  const { client, fake } = await open();
  const told = client.once('error');
  fake.closing = Promise.reject({ code: 'CONNECTION_FAILED', message: 'gone' });
  await client.close();
  assert.ok(failure('CONNECTION_FAILED')(await told));
  assert.equal(client.status, 'closed');
});

test('await using closes', async () => {
  const { client } = await open();
  await client[Symbol.asyncDispose]();
  assert.equal(client.status, 'closed');
});

test('the network and the page coming back wake the client, until it is closed', async () => {
  const target = new EventTarget();
  const page = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  globalThis.addEventListener = target.addEventListener.bind(target);
  globalThis.removeEventListener = target.removeEventListener.bind(target);
  globalThis.document = page;
  try {
    const { client, fake } = await open();
    target.dispatchEvent(new Event('online'));
    target.dispatchEvent(new Event('pageshow'));
    page.dispatchEvent(new Event('visibilitychange'));
    assert.equal(fake.called('wake').length, 2);
    page.visibilityState = 'visible';
    page.dispatchEvent(new Event('visibilitychange'));
    assert.equal(fake.called('wake').length, 3);
    page.dispatchEvent(new Event('resume'));
    assert.equal(fake.called('wake').length, 4);
    const closed = client.close();
    target.dispatchEvent(new Event('online'));
    await closed;
    assert.equal(fake.called('wake').length, 4);
  } finally {
    delete globalThis.document;
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test('peers and their coming and going', async () => {
  const { client, fake } = await open();
  fake.peerList = [{ peerId: 'p', author: 'a' }];
  assert.deepEqual(client.peers, [{ peerId: 'p', author: 'a' }]);
  const joined = client.once('peer_join');
  const left = client.once('peer_leave');
  fake.emit({ type: 'peer_join', peerId: 'p', author: 'a' }, { type: 'peer_leave', peerId: 'p', author: 'a' });
  assert.deepEqual([await joined, await left], [{ peerId: 'p', author: 'a' }, { peerId: 'p', author: 'a' }]);
});

test('isPeersyncError knows its own and nothing else', () => {
  const error = new PeersyncError('TIMEOUT', 'late');
  assert.ok(isPeersyncError(error) && isPeersyncError(error, 'TIMEOUT'));
  assert.ok(!isPeersyncError(error, 'CLOSED'));
  const foreign = Object.assign(new Error('late'), { name: 'PeersyncError', code: 'TIMEOUT' });
  assert.ok(isPeersyncError(foreign, 'TIMEOUT'));
  for (const other of [new Error('x'), { name: 'PeersyncError', code: 'TIMEOUT' }, null, Object.assign(new Error(), { name: 'PeersyncError', code: 'NEW' })]) {
    assert.ok(!isPeersyncError(other));
  }
});
