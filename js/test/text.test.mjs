import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrowserSyncClient, failure, open, settled } from './support.mjs';

test('one object per name, also before connect', () => {
  const client = new BrowserSyncClient('ws://localhost:8000/ws');
  assert.equal(client.text('a'), client.text('a'));
  assert.notEqual(client.text('a'), client.text('b'));
  assert.equal(client.text('a').name, 'a');
  assert.throws(() => client.text(''), failure('INVALID_ARGUMENT', /name/));
  assert.throws(() => client.text(undefined), failure('INVALID_ARGUMENT', /name/));
});

test('before connect a text reads as empty', () => {
  const text = new BrowserSyncClient('ws://localhost:8000/ws').text('a');
  assert.deepEqual([text.toString(), text.length, text.toDelta()], ['', 0, []]);
});

test('edits apply at once and return the sequence number of their operation', async () => {
  const { client, fake } = await open();
  const text = client.text('a');
  assert.equal(text.insert(0, 'Hello world', { bold: true }), 1);
  assert.equal(text.delete(5, 6), 2);
  assert.equal(text.format(0, 5, { bold: null }), 3);
  assert.equal(`${text}`, 'Hello');
  assert.equal(text.length, 5);
  assert.equal(text.replace('Bye'), 4);
  assert.deepEqual(text.toDelta(), [{ insert: 'Bye' }]);
  assert.deepEqual(fake.called('textInsert'), [['textInsert', 'a', 0, 'Hello world', { bold: true }]]);
});

test('arguments are checked before the module would bend them', async () => {
  const { client } = await open();
  const text = client.text('a');
  for (const wrong of [-1, 1.5, NaN, '0', undefined, 2 ** 32]) {
    assert.throws(() => text.insert(wrong, 'x'), failure('INVALID_ARGUMENT', /index/));
    assert.throws(() => text.delete(0, wrong), failure('INVALID_ARGUMENT', /length/));
  }
  assert.throws(() => text.insert(0, 7), failure('INVALID_ARGUMENT', /text.*number/));
  assert.throws(() => text.replace(null), failure('INVALID_ARGUMENT', /text/));
  assert.throws(() => text.format(0, 0, 'bold'), failure('INVALID_ARGUMENT', /attributes/));
  assert.throws(() => text.insert(9, 'x'), failure('INVALID_ARGUMENT', /past the end/));
});

test('observers get the changes of their own document, local and remote', async () => {
  const { client, fake } = await open();
  const seen = [];
  const stop = client.text('a').observe((event) => seen.push(event));
  client.text('b').observe(() => assert.fail('another document'));
  client.text('a').insert(0, 'x');
  assert.deepEqual(seen, []);
  fake.emit({ type: 'text', doc: 'a', delta: [{ retain: 1 }, { insert: 'y' }], origin: 'remote', author: 'them', id: '2' });
  fake.emit({ type: 'text', doc: 'nobody asked', delta: [], origin: 'remote', author: 'them', id: '3' });
  await settled();
  assert.deepEqual(seen, [
    { delta: [{ retain: 0 }, { insert: 'x' }], origin: 'local', author: 'me', id: 'op-1' },
    { delta: [{ retain: 1 }, { insert: 'y' }], origin: 'remote', author: 'them', id: '2' },
  ]);
  stop();
  client.text('a').insert(0, 'z');
  await settled();
  assert.equal(seen.length, 2);
});

test('observing before connect misses nothing and ends by signal', async () => {
  const client = new BrowserSyncClient('ws://localhost:8000/ws');
  const controller = new AbortController();
  let calls = 0;
  client.text('a').observe(() => (calls += 1), { signal: controller.signal });
  await client.connect();
  client.text('a').insert(0, 'x');
  await settled();
  controller.abort();
  client.text('a').insert(0, 'y');
  await settled();
  assert.equal(calls, 1);
});

test('attributes that would throw while they are read are refused before the module sees them', async () => {
  const { client } = await open();
  const trap = { get bold() { throw new Error('no'); } };
  assert.throws(() => client.text('n').insert(0, 'x', trap), failure('INVALID_ARGUMENT', /attributes/));
  assert.throws(() => client.text('n').format(0, 1, { bold: () => {} }), failure('INVALID_ARGUMENT', /attributes/));
});
