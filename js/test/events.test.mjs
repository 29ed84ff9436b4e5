import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { BrowserSyncClient, failure, open, settled } from './support.mjs';

const client = () => new BrowserSyncClient('ws://localhost:8000/ws');
const status = (status) => ({ type: 'status', status });

afterEach(() => mock.restoreAll());

test('on returns a function that unsubscribes', async () => {
  const { client, fake } = await open();
  const seen = [];
  const stop = client.on('pending', (pending) => seen.push(pending));
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  stop();
  stop();
  fake.emit({ type: 'pending', pending: 2 });
  await settled();
  assert.deepEqual(seen, [1]);
});

test('a signal ends a subscription, and an aborted one never starts it', async () => {
  const { client, fake } = await open();
  const seen = [];
  const controller = new AbortController();
  client.on('pending', (pending) => seen.push(pending), { signal: controller.signal });
  client.on('pending', () => seen.push('never'), { signal: AbortSignal.abort() });
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  controller.abort();
  fake.emit({ type: 'pending', pending: 2 });
  await settled();
  assert.deepEqual(seen, [1]);
});

test('off ends every subscription of a listener', async () => {
  const { client, fake } = await open();
  const listener = mock.fn();
  client.on('pending', listener);
  client.on('pending', listener);
  client.off('pending', listener);
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  assert.equal(listener.mock.callCount(), 0);
});

test('once calls back for one event only', async () => {
  const { client, fake } = await open();
  const listener = mock.fn();
  client.once('pending', listener);
  fake.emit({ type: 'pending', pending: 1 }, { type: 'pending', pending: 2 });
  await settled();
  assert.deepEqual(listener.mock.calls.map((call) => call.arguments), [[1]]);
});

test('once without a listener is a promise of the next event', async () => {
  const { client, fake } = await open();
  const next = client.once('reconnecting');
  fake.emit({ type: 'reconnecting', attempt: 3, delayMs: 250 });
  assert.deepEqual(await next, { attempt: 3, delayMs: 250 });
});

test('the promise of once ends with TIMEOUT, ABORTED or CLOSED', async () => {
  const { client } = await open();
  await assert.rejects(client.once('data', { timeoutMs: -1 }), failure('INVALID_ARGUMENT', /timeoutMs/));
  await assert.rejects(client.once('peer_join', { timeoutMs: 5 }), failure('TIMEOUT', /'peer_join'.* 5 ms/));
  const reason = new Error('enough');
  await assert.rejects(client.once('peer_join', { signal: AbortSignal.abort(reason) }), (error) => {
    return failure('ABORTED')(error) && error.cause === reason;
  });
  const waiting = client.once('peer_join');
  const rejected = assert.rejects(waiting, failure('CLOSED'));
  await client.close();
  await rejected;
  await assert.rejects(client.once('peer_join'), failure('CLOSED'));
});

test('a listener that throws is reported and stops nobody', async () => {
  const reported = mock.method(console, 'error', () => {});
  const { client, fake } = await open();
  const after = mock.fn();
  const mistake = new Error('a mistake in the application');
  client.on('pending', () => {
    throw mistake;
  });
  client.on('pending', after);
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  assert.equal(after.mock.callCount(), 1);
  assert.deepEqual(reported.mock.calls.map((call) => call.arguments[0]), [mistake]);
});

test('a listener removed during an event is not called for it any more', async () => {
  const { client, fake } = await open();
  const second = mock.fn();
  client.on('pending', () => client.off('pending', second));
  client.on('pending', second);
  fake.emit({ type: 'pending', pending: 1 });
  await settled();
  assert.equal(second.mock.callCount(), 0);
});

test('an unknown event or a listener that is no function is INVALID_ARGUMENT', () => {
  assert.throws(() => client().on('dat', () => {}), failure('INVALID_ARGUMENT', /'dat'.*data/));
  assert.throws(() => client().off('dat', () => {}), failure('INVALID_ARGUMENT', /'dat'/));
  assert.throws(() => client().on('data', 'log'), failure('INVALID_ARGUMENT', /function/));
});

test('status is told once per change', async () => {
  const { client, fake } = await open();
  const seen = [];
  client.on('status', (value) => seen.push([value, client.status]));
  fake.emit(status('connected'), status('disconnected'), status('disconnected'), status('connecting'));
  await settled();
  await client.close();
  await client.close();
  assert.deepEqual(seen, [
    ['disconnected', 'disconnected'],
    ['connecting', 'connecting'],
    ['closed', 'closed'],
  ]);
});

test('an error that nobody listens for is logged', async () => {
  const logged = mock.method(console, 'warn', () => {});
  const { client, fake } = await open();
  fake.emit({ type: 'error', code: 'STORAGE_FULL', message: 'no room on the disk' });
  await settled();
  assert.equal(logged.mock.callCount(), 1);
  const heard = client.once('error');
  fake.emit({ type: 'error', code: 'STORAGE_FULL', message: 'no room on the disk' });
  assert.ok(failure('STORAGE_FULL')(await heard));
  assert.equal(logged.mock.callCount(), 1);
});
