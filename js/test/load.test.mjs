import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrowserSyncClient, failure, native } from './support.mjs';

test('importing and constructing load nothing', () => {
  new BrowserSyncClient('ws://localhost:8000/ws');
  assert.equal(native.loads.length, 0);
});

test('a failed load rejects with CONNECTION_FAILED, and the next connect tries again', async () => {
  native.failLoads = 1;
  const client = new BrowserSyncClient('ws://localhost:8000/ws');
  const seen = [];
  client.on('status', (status) => seen.push(status));
  await assert.rejects(client.connect(), failure('CONNECTION_FAILED', /peersync_bg\.wasm.*Failed to fetch/));
  assert.deepEqual(seen, ['connecting', 'disconnected']);
  await client.connect();
  assert.equal(native.loads.length, 2);
});

test('the module is found beside the package', () => {
  const { module_or_path: url } = native.loads[0];
  assert.equal(url.href, new URL('../../pkg/peersync_bg.wasm', import.meta.url).href);
});

test('one load serves every client', async () => {
  await Promise.all([1, 2, 3].map(() => new BrowserSyncClient('ws://localhost:8000/ws').connect()));
  assert.equal(native.loads.length, 2);
});
