// Each test kills the module of its process, so each runs in a process of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const support = new URL('./support.mjs', import.meta.url).href;

function inProcess(body) {
  const script = `
    import assert from 'node:assert/strict';
    import { BrowserSyncClient, failure, native, open, settled } from ${JSON.stringify(support)};
    const insert = { type: 'operation', operation: 'INSERT', data: { content: 'x' } };
    console.warn = () => {};
    ${body}
    console.log('done');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(output.trim(), 'done');
}

test('a panic fails every handle, every waiting promise and every later call with INTERNAL', () =>
  inProcess(`
    native.auto = false;
    const { client, connected, fake } = await open();
    const other = await open();
    const text = client.text('a');
    const waiting = [connected, client.send(insert), client.once('data'), other.connected, other.client.send(insert)];
    const rejected = waiting.map((promise) => assert.rejects(promise, failure('INTERNAL', /index out of bounds/)));
    const told = [];
    other.client.on('error', (error) => told.push(error.code));
    native.trap('index out of bounds');
    assert.throws(() => text.insert(0, 'x'), failure('INTERNAL', /reload the page/));
    assert.throws(() => client.stats(), failure('INTERNAL'));
    await Promise.all(rejected);
    assert.deepEqual(told, ['INTERNAL']);
    await assert.rejects(client.connect(), failure('INTERNAL'));
    await assert.rejects(client.send(insert), failure('INTERNAL'));
    await assert.rejects(client.once('data'), failure('INTERNAL'));
    await assert.rejects(new BrowserSyncClient('ws://localhost').connect(), failure('INTERNAL'));
    assert.equal(client.status, 'closed');
    const calls = fake.calls.length;
    await client.close();
    assert.equal(fake.calls.length, calls);
  `));

test('a bare RuntimeError counts as a trap too', () =>
  inProcess(`
    const { client, fake } = await open();
    const other = await open();
    fake.broken = new WebAssembly.RuntimeError('unreachable');
    assert.throws(() => client.text('a').insert(0, 'x'), failure('INTERNAL', /unreachable/));
    assert.throws(() => other.client.text('a').insert(0, 'x'), failure('INTERNAL', /unreachable/));
  `));

test('a module that traps while it opens a room fails whoever waits', () =>
  inProcess(`
    native.opening = new Promise(() => {});
    const client = new BrowserSyncClient('ws://localhost');
    const waiting = [client.open(), client.connect()].map((promise) => assert.rejects(promise, failure('INTERNAL', /boom/)));
    while (native.clients.length === 0) await settled();
    native.trap('boom');
    await Promise.all(waiting);
    assert.equal(client.status, 'closed');
    await client.close();
  `));

test('any other exception of the module is INTERNAL and leaves it alive', () =>
  inProcess(`
    const { client, fake } = await open();
    fake.broken = new TypeError('a defect in the glue');
    assert.throws(() => client.text('a').insert(0, 'x'), failure('INTERNAL', /glue/));
    fake.broken = { code: 'A_NEW_CODE', message: 'unknown here' };
    assert.throws(() => client.text('a').insert(0, 'x'), failure('INTERNAL', /unknown here/));
    fake.broken = undefined;
    client.text('a').insert(0, 'x');
  `));

test('close does not wait for a module that traps meanwhile', () =>
  inProcess(`
    const { client, fake } = await open();
    fake.closing = new Promise(() => {});
    const closed = client.close();
    native.trap('boom');
    await closed;
    assert.equal(client.status, 'closed');
    assert.equal(fake.called('free').length, 0);
  `));
