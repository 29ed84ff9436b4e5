// The contract of the package, in real pages against the real server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { openPage } from '../lib/browsers.mjs';
import { freshRoom, openPeer } from '../lib/peer.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

/** A valid peer id that is not the server's. */
const STRANGER = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';

/** A port that nothing listens on. */
const deadPort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** What `connect()` of a client for `url` rejects with; 'connected' if it does not. */
const connectCode = (page, url, timeoutMs) =>
  page.evaluate(
    async ([url, timeoutMs]) => {
      const { BrowserSyncClient } = await import('/sdk/index.js');
      const client = new BrowserSyncClient(url);
      const outcome = await client.connect({ timeoutMs }).then(
        () => 'connected',
        (error) => `${error.name} ${error.code}`,
      );
      await client.close();
      return outcome;
    },
    [url, timeoutMs],
  );

test('sdk: connecting to a dead port rejects in time', async (context) => {
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  const started = Date.now();
  const outcome = await connectCode(page, `ws://127.0.0.1:${await deadPort()}/ws`, 1_500);
  assert.match(outcome, /^PeersyncError (TIMEOUT|CONNECTION_FAILED)$/);
  assert.ok(Date.now() - started < 5_000);
});

test('sdk: a backend of another identity than the address names is PEER_ID_MISMATCH', async (context) => {
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  const [address] = server.ready.bootstrapPeers;
  assert.ok(address.endsWith(`/p2p/${server.ready.peerId}`));
  assert.equal(await connectCode(page, address, 10_000), 'connected');
  const wrong = address.replace(server.ready.peerId, STRANGER);
  assert.equal(await connectCode(page, wrong, 10_000), 'PeersyncError PEER_ID_MISMATCH');
  assert.equal(await connectCode(page, '/ip4/nonsense', 10_000), 'PeersyncError INVALID_ADDRESS');
});

test('sdk: data is kept until someone listens, the snapshot first', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  await a.page.evaluate(() => window.peer.client.send({ type: 'operation', operation: 'INSERT', data: { content: 'early ' } }));
  const b = await openPeer(context, 'B', server, { room });
  const ids = await a.page.evaluate(async () => {
    const acks = [];
    for (const content of ['one ', 'two ', 'three']) {
      acks.push((await window.peer.client.send({ type: 'operation', operation: 'INSERT', data: { content } })).id);
    }
    return acks;
  });
  await eventually(10_000, 'the last operation is here', () =>
    b.page.evaluate(() => window.peer.client.text('document').toString().endsWith('three')));
  const messages = await b.page.evaluate(async () => {
    const seen = [];
    window.peer.client.on('data', (message) => seen.push(message));
    const before = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { before, seen };
  });
  assert.equal(messages.before, 0);
  assert.equal(messages.seen[0].type, 'snapshot');
  assert.equal(messages.seen.filter(({ type }) => type === 'snapshot').length, 1);
  const operations = messages.seen.filter(({ type }) => type === 'operation');
  assert.deepEqual(operations.map(({ operation, data }) => [operation, data.content]), [['INSERT', 'one '], ['INSERT', 'two '], ['INSERT', 'three']]);
  for (const { id, timestamp, client_id: client } of operations) {
    assert.ok(typeof id === 'string' && typeof client === 'string');
    assert.ok(Math.abs(timestamp - Date.now() / 1_000) < 60, `timestamp ${timestamp} is in seconds`);
  }
  assert.equal(new Set(ids).size, 3);
});

test('sdk: INSERT, DELETE and UPDATE change the text everywhere and are acknowledged by the backend', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  const b = await openPeer(context, 'B', server, { room });
  const send = (operation, data, options) =>
    a.page.evaluate(([operation, data, options]) => window.peer.client.send({ type: 'operation', operation, data }, options), [operation, data, options]);
  const textOf = (peer, doc) => peer.page.evaluate((doc) => window.peer.client.text(doc).toString(), doc);
  const become = async (text, doc = 'document') => {
    assert.equal(await textOf(a, doc), text);
    await eventually(10_000, `${doc} is '${text}' for the other`, async () => (await textOf(b, doc)) === text);
  };
  const ack = await send('INSERT', { content: 'world' });
  assert.equal(ack.durability, 'backend');
  assert.equal(ack.by, server.ready.peerId);
  assert.ok(ack.id.length > 0);
  await send('INSERT', { content: 'Hello ', position: 0 });
  await become('Hello world');
  await send('INSERT', { content: '!', position: 10_000 });
  await become('Hello world!');
  await send('DELETE', { position: 11 });
  await become('Hello world');
  await send('DELETE', { position: 0, length: 6 });
  await become('world');
  await send('UPDATE', { document: 'A new wide world' });
  await become('A new wide world');
  await send('INSERT', { content: 'elsewhere', doc: 'other' }, { until: 'peer' });
  await become('elsewhere', 'other');
});

test('sdk: an invalid envelope is refused by an error that names the field, and changes nothing', async (context) => {
  const server = await startServer(context);
  const a = await openPeer(context, 'A', server, { room: freshRoom('sdk') });
  const cases = [
    [{ type: 'operation', operation: 'INSERT', data: { content: 7 } }, /content/],
    [{ type: 'operation', operation: 'INSERT', data: {} }, /content|data/],
    [{ type: 'operation', operation: 'INSERT' }, /data/],
    [{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: -1 } }, /position/],
    [{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: 1.5 } }, /position/],
    [{ type: 'operation', operation: 'INSERT', data: { content: 'x', doc: 7 } }, /doc/],
    [{ type: 'operation', operation: 'DELETE', data: {} }, /position/],
    [{ type: 'operation', operation: 'DELETE', data: { position: 0, length: 'all' } }, /length/],
    [{ type: 'operation', operation: 'UPDATE', data: { document: null } }, /document/],
    [{ type: 'operation', operation: 'ERASE', data: {} }, /operation/],
    [{ type: 'party', operation: 'INSERT', data: { content: 'x' } }, /type/],
    [{ type: 'operation', operation: 'INSERT', data: { content: 'x' }, version: 2 }, /version/],
    [{ type: 'operation', operation: 'INSERT', data: { content: 'x' }, parent_id: 'a' }, /parent_id.*positions/],
    ['INSERT', /object/],
    [null, /object/],
  ];
  for (const [message, field] of cases) {
    const error = await a.page.evaluate(
      (message) => window.peer.client.send(message).then(() => null, ({ name, code, message }) => ({ name, code, message })),
      message,
    );
    assert.ok(error, `${JSON.stringify(message)} was taken`);
    assert.equal(`${error.name} ${error.code}`, 'PeersyncError INVALID_ARGUMENT', JSON.stringify(message));
    assert.match(error.message, field);
  }
  assert.equal(await a.page.evaluate(() => window.peer.client.text('document').toString()), '');
  assert.equal((await a.state()).pending, 0);
});

test('sdk: a message that changes nothing resolves, also as the first of a client', async (context) => {
  const server = await startServer(context);
  const a = await openPeer(context, 'A', server, { room: freshRoom('sdk') });
  const send = (operation, data) =>
    a.page.evaluate(([operation, data]) => window.peer.client.send({ type: 'operation', operation, data }, { timeoutMs: 10_000 }), [operation, data]);
  const nothing = [
    ['UPDATE', { document: '' }],
    ['INSERT', { content: '' }],
    ['DELETE', { position: 0, length: 0 }],
  ];
  for (const [operation, data] of nothing) {
    const { durability, by } = await send(operation, data);
    assert.deepEqual([durability, by], ['backend', server.ready.peerId], operation);
  }
  await send('INSERT', { content: 'x' });
  for (const [operation, data] of [['UPDATE', { document: 'x' }], ...nothing.slice(1)]) {
    assert.equal((await send(operation, data)).durability, 'backend', operation);
  }
});

test('sdk: a message of the same id is not done twice', async (context) => {
  const server = await startServer(context);
  const a = await openPeer(context, 'A', server, { room: freshRoom('sdk') });
  const send = () =>
    a.page.evaluate(() => window.peer.client
      .send({ type: 'operation', operation: 'INSERT', id: 'mine', data: { content: 'x' } })
      .then(({ id }) => id, ({ code, message }) => `${code} ${message}`));
  assert.equal(await send(), 'mine');
  assert.match(await send(), /^INVALID_ARGUMENT id /);
  assert.equal(await a.page.evaluate(() => window.peer.client.text('document').toString()), 'x');
});

test('sdk: texts carry formatting, tell origin and author, and refuse what is out of range', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  const b = await openPeer(context, 'B', server, { room });
  await b.page.evaluate(() => window.peer.text.observe((event) => (window.peer.changes ??= []).push(event)));
  const local = await a.page.evaluate(async () => {
    const { text } = window.peer;
    const seen = [];
    text.observe((event) => seen.push(event));
    text.insert(0, 'Hello 😀');
    text.format(0, 5, { bold: true });
    const during = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { during, seen, length: text.length, author: window.peer.client.author };
  });
  assert.equal(local.during, 0, 'observers are called after the edit has returned');
  assert.ok(local.seen.length > 0 && local.seen.every(({ origin, author }) => origin === 'local' && author === local.author));
  assert.equal(local.length, 8);
  const delta = [{ insert: 'Hello', attributes: { bold: true } }, { insert: ' 😀' }];
  await eventually(10_000, 'the formatting is here', async () =>
    JSON.stringify(await b.page.evaluate(() => window.peer.text.toDelta())) === JSON.stringify(delta));
  const changes = await b.page.evaluate(() => window.peer.changes);
  assert.ok(changes.every(({ origin, author, id }) => origin === 'remote' && author === local.author && id.length > 0));
  const codes = await a.page.evaluate(() => {
    const { text } = window.peer;
    const attempts = [() => text.insert(9, 'x'), () => text.delete(0, 9), () => text.delete(9, 1), () => text.format(0, 9, { bold: true })];
    return attempts.map((attempt) => {
      try {
        attempt();
        return 'taken';
      } catch (error) {
        return error.code;
      }
    });
  });
  assert.deepEqual(codes, ['INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'INVALID_ARGUMENT']);
});

test('sdk: peers come and go', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  const b = await openPeer(context, 'B', server, { room });
  const id = await b.page.evaluate(() => window.peer.client.peerId);
  const present = () => a.page.evaluate(() => window.peer.client.peers.map(({ peerId }) => peerId));
  await eventually(10_000, 'the other is present', async () => (await present()).includes(id));
  await eventually(10_000, 'its coming was told', async () => (await a.events('peer_join')).some(({ payload }) => payload.peerId === id));
  await b.page.evaluate(() => window.peer.client.close());
  await eventually(10_000, 'the other is gone', async () => !(await present()).includes(id));
  await eventually(10_000, 'its going was told', async () => (await a.events('peer_leave')).some(({ payload }) => payload.peerId === id));
});

test('sdk: close saves what is unsent, may be called twice, and later calls fail with CLOSED', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  const seen = await a.page.evaluate(async () => {
    const { client, text } = window.peer;
    text.insert(0, 'last words');
    await Promise.all([client.close(), client.close()]);
    await client.close();
    const late = await client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } }).catch(({ code }) => code);
    const again = await client.connect().catch(({ code }) => code);
    return { late, again, status: client.status, pending: client.pending };
  });
  assert.deepEqual(seen, { late: 'CLOSED', again: 'CLOSED', status: 'closed', pending: 0 });
  assert.equal((await a.events('status')).at(-1).payload, 'closed');
  const b = await openPeer(context, 'B', server, { room });
  assert.equal(await b.toString(), 'last words');
});

test('sdk: a trap in the module fails waiting and later calls with INTERNAL', async (context) => {
  const server = await startServer(context);
  const a = await openPeer(context, 'A', server, { room: freshRoom('sdk') });
  const seen = await a.page.evaluate(async () => {
    const { client, text } = window.peer;
    const { __trap } = await import('/pkg/peersync.js');
    const codeOf = (promise) => promise.then(() => 'fulfilled', ({ name, code }) => `${name} ${code}`);
    const waiting = [
      client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } }),
      client.once('peer_join'),
    ].map(codeOf);
    let thrown;
    try {
      __trap();
    } catch (error) {
      thrown = error.constructor.name;
    }
    let edit;
    try {
      text.insert(0, 'x');
    } catch ({ name, code }) {
      edit = `${name} ${code}`;
    }
    const later = [client.connect(), client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } })].map(codeOf);
    const outcome = { thrown, edit, waiting: await Promise.all(waiting), later: await Promise.all(later) };
    await client.close();
    return { ...outcome, status: client.status };
  });
  const internal = 'PeersyncError INTERNAL';
  assert.deepEqual(seen, {
    thrown: 'RuntimeError',
    edit: internal,
    waiting: [internal, internal],
    later: [internal, internal],
    status: 'closed',
  });
});

test('sdk: works in a dedicated worker', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('sdk');
  const a = await openPeer(context, 'A', server, { room });
  const page = await openPage(context, 'B', `${server.http}/`);
  const answer = await page.evaluate(
    ([origin, backend, room]) => {
      const source = `
        import { BrowserSyncClient } from '${origin}/sdk/index.js';
        try {
          const client = new BrowserSyncClient('${backend}', { room: '${room}' });
          await client.connect({ timeoutMs: 15_000 });
          const { durability } = await client.send({ type: 'operation', operation: 'INSERT', data: { content: 'from a worker', doc: 'notes' } });
          postMessage({ durability, document: typeof document });
        } catch (error) {
          postMessage({ error: String(error) });
        }`;
      const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
      return new Promise((resolve) => {
        const worker = new Worker(url, { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message ?? 'the worker did not load' });
      });
    },
    [server.http, server.ws, room],
  );
  assert.deepEqual(answer, { durability: 'backend', document: 'undefined' });
  await eventually(10_000, 'the text is here', async () => (await a.toString()) === 'from a worker');
});

test('sdk: importing does nothing and leaves nothing behind', async (context) => {
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  const requests = [];
  page.on('request', (request) => requests.push(new URL(request.url()).pathname));
  const added = await page.evaluate(async () => {
    const before = new Set(Object.getOwnPropertyNames(globalThis));
    const { BrowserSyncClient } = await import('/sdk/index.js');
    new BrowserSyncClient('ws://localhost:1/ws');
    return Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
  });
  assert.deepEqual(added, []);
  assert.deepEqual(requests.filter((path) => path.startsWith('/pkg/')), []);
});

test('sdk: the module has every method that the wrapper may call', async (context) => {
  const source = readFileSync(new URL('../../../js/src/internal/native.ts', import.meta.url), 'utf8');
  const bodies = [...source.matchAll(/^(?:export )?interface Native(?:Client|Texts|Containers|Records)\b[^]*?\n\}/gm)];
  const methods = bodies.flatMap(([body]) => [...body.matchAll(/^  (\w+)\(/gm)]).map(([, name]) => name);
  assert.ok(methods.length >= 45, `found only ${methods.length}`);
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  const missing = await page.evaluate(async (methods) => {
    const glue = await import('/pkg/peersync.js');
    const wanted = [...methods.map((name) => [name, glue.NativeClient.prototype]), ['default', glue], ['onTrap', glue], ['open', glue.NativeClient]];
    return wanted.filter(([name, owner]) => typeof owner[name] !== 'function').map(([name]) => name);
  }, methods);
  assert.deepEqual(missing, []);
});
