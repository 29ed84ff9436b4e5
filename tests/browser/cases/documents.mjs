// Records, maps, lists, presence and undo between real browsers, through the real server.
import assert from 'node:assert/strict';
import { freshRoom, openPeer } from '../lib/peer.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

/** Two pages in one room. */
async function pair(context, name) {
  const server = await startServer(context);
  const room = freshRoom(name);
  return { server, room, a: await openPeer(context, 'A', server, { room }), b: await openPeer(context, 'B', server, { room }) };
}

/** Calls a function of the client in a page. */
const run = (peer, act, ...args) =>
  peer.page.evaluate(([source, args]) => new Function('client', 'args', `return (${source})(client, ...args)`)(window.peer.client, args), [
    act.toString(),
    args,
  ]);

const content = (peer) => run(peer, (client) => client.toJSON());

/** Both have the same, whole content, and it is `wanted`. */
const agree = (a, b, what, wanted) =>
  eventually(15_000, `both have ${what}`, async () => {
    const [one, other] = [await content(a), await content(b)].map((each) => JSON.stringify(each));
    return one === other && (wanted === undefined || one === JSON.stringify(wanted));
  }).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await content(a))} and ${JSON.stringify(await content(b))}`);
  });

test('documents: maps, lists and records become the same for both, and observers are told', async (context) => {
  const { a, b } = await pair(context, 'documents');
  await run(b, (client) => {
    window.changes = [];
    client.map('settings').observe(({ changes, origin }) => window.changes.push(['map', origin, changes]));
    client.list('jobs').observe(({ delta, origin }) => window.changes.push(['list', origin, delta]));
    client.records('shapes').observe(({ changes, origin }) => window.changes.push(['records', origin, changes]));
  });
  await run(a, (client) => {
    client.map('settings').set('grid', { size: 20, '😀': [null] });
    client.list('jobs').push('weed', { what: 'water' });
    client.records('shapes').set('sun', { kind: 'circle', x: 1 });
    client.records('shapes').set('tree', { kind: 'square' });
    client.records('shapes').move('tree', { before: 'sun' });
  });
  const wanted = {
    texts: {},
    maps: { settings: { grid: { size: 20, '😀': [null] } } },
    lists: { jobs: ['weed', { what: 'water' }] },
    records: { shapes: [{ id: 'tree', kind: 'square' }, { id: 'sun', kind: 'circle', x: 1 }] },
  };
  await agree(a, b, 'the documents', wanted);
  const changes = await run(b, () => window.changes);
  assert.ok(changes.every(([, origin]) => origin === 'remote'));
  assert.deepEqual(changes.filter(([kind]) => kind === 'map').flatMap(([, , each]) => each), [
    { key: 'grid', action: 'set', value: { size: 20, '😀': [null] } },
  ]);
  // Other fields of one record at the same time: both stay.
  await Promise.all([
    run(a, (client) => client.records('shapes').set('sun', { x: 2, color: 'red' })),
    run(b, (client) => client.records('shapes').set('sun', { y: 3 })),
  ]);
  await agree(a, b, 'both writes', { ...wanted, records: { shapes: [wanted.records.shapes[0], { id: 'sun', color: 'red', kind: 'circle', x: 2, y: 3 }] } });
  // Both move the same one: it is in one place.
  await Promise.all([
    run(a, (client) => client.records('shapes').move('sun', { index: 0 })),
    run(b, (client) => client.records('shapes').move('tree', { before: null })),
  ]);
  await eventually(15_000, 'one order', async () => {
    const [one, other] = await Promise.all([a, b].map((peer) => run(peer, (client) => client.records('shapes').ids())));
    return one.join() === other.join() && one.length === 2;
  });
});

test('documents: every operation by message, and the data events of the other give the same when sent again', async (context) => {
  const { a, b, server, room } = await pair(context, 'messages');
  await run(b, (client) => {
    window.data = [];
    client.on('data', (message) => window.data.push(message));
  });
  const operations = [
    ['INSERT', { content: 'world Hello ' }],
    ['MOVE', { from: 6, to: 0, length: 6 }],
    ['DELETE', { position: 11 }],
    ['UPDATE', { document: 'Hello wide world' }],
    ['INSERT', { id: 'sun', kind: 'circle', at: { x: 1 } }],
    ['INSERT', { id: 'tree', kind: 'square' }],
    ['INSERT', { id: 'card', collection: 'cards' }],
    ['UPDATE', { id: 'sun', at: { x: 2 }, color: '#ff0' }],
    ['MOVE', { id: 'sun', after: 'tree' }],
    ['MOVE', { id: 'sun', index: 0 }],
    ['MOVE', { id: 'sun', before: null }],
    ['DELETE', { id: 'card', collection: 'cards' }],
  ];
  for (const [operation, data] of operations) {
    const ack = await run(a, (client, message) => client.send(message), { type: 'operation', operation, data });
    assert.deepEqual([ack.durability, ack.by], ['backend', server.ready.peerId], operation);
  }
  const wanted = {
    texts: { document: 'Hello wide world' },
    maps: {},
    lists: {},
    records: { shapes: [{ id: 'tree', kind: 'square' }, { id: 'sun', at: { x: 2 }, color: '#ff0', kind: 'circle' }] },
  };
  await agree(a, b, 'what was sent', wanted);
  // Played into a room of their own, the messages that B got make the same content: they can be sent as they are.
  const messages = await run(b, () => window.data);
  assert.deepEqual(messages[0].data, { documents: {}, maps: {}, lists: {}, records: {} });
  const heard = new Set(messages.slice(1).map(({ operation }) => operation));
  assert.deepEqual([...heard].sort(), ['DELETE', 'INSERT', 'MOVE', 'UPDATE']);
  const c = await openPeer(context, 'C', server, { room: freshRoom('messages') });
  for (const message of messages.slice(1)) await run(c, (client, message) => client.send(message, { until: 'local' }), message);
  assert.deepEqual(await content(c), wanted);
  // Who comes later has all of it in the snapshot.
  const late = await openPeer(context, 'D', server, { room });
  const snapshot = await run(late, (client) => client.once('data'));
  const { texts, ...rest } = wanted;
  assert.deepEqual([snapshot.type, snapshot.data], ['snapshot', { documents: texts, ...rest }]);
});

test('documents: nested values come back as they were', async (context) => {
  const { a, b } = await pair(context, 'nested');
  const nested = {
    text: ['a"b\\c\n\t\u0001\u001f\u007f/\u2028 e\u0301 😀', ''],
    numbers: [0, 0.1, -1.5, 1e21, 5e-324, 1.7976931348623157e308, 9007199254740991, -9007199254740991],
    rest: { null: null, true: true, false: false, empty: {}, list: [[], [{}]], 'a "key"\n': 1 },
  };
  await run(a, (client, nested) => {
    client.records('shapes').set('r', { nested });
    client.map('m').set('nested', nested);
    client.list('l').push(nested);
    client.presence.set({ nested });
  }, nested);
  const read = (client) => [client.records('shapes').get('r')?.nested, client.map('m').get('nested'), client.list('l').get(0)];
  assert.deepEqual(await run(a, read), [nested, nested, nested]);
  await eventually(5_000, 'the other has them', async () => (await run(b, read)).every((value) => value !== undefined && value !== null));
  assert.deepEqual(await run(b, read), [nested, nested, nested]);
  await eventually(5_000, 'presence too', () => run(b, (client) => client.presence.others().size === 1));
  assert.deepEqual(await run(b, (client) => [...client.presence.others().values()]), [{ nested }]);
});

test('documents: presence is told, merged, and gone with its peer', async (context) => {
  const { a, b, server, room } = await pair(context, 'presence');
  const id = await run(a, (client) => client.peerId);
  const seen = () => run(b, (client, id) => client.presence.others().get(id) ?? null, id);
  await run(b, (client) => {
    window.presence = [];
    client.on('presence', (event) => window.presence.push({ ...event, at: Date.now() }));
  });
  await run(a, (client) => client.presence.set({ name: 'Ada', cursor: { x: 1 }, drag: { id: 'sun' } }));
  await run(a, (client) => client.presence.set({ cursor: { x: 2 }, drag: null }));
  await eventually(5_000, 'the state is here', async () => JSON.stringify(await seen()) === JSON.stringify({ cursor: { x: 2 }, name: 'Ada' }));
  const ack = await run(a, (client) => client.send({ type: 'operation', operation: 'UPDATE', data: { cursor_position: 7 } }));
  assert.deepEqual([ack.durability, ack.by], ['none', id]);
  await eventually(5_000, 'the cursor is here', async () => (await seen())?.cursor_position === 7);
  await run(a, (client) => client.send({ type: 'operation', operation: 'UPDATE', data: { cursor_position: null } }));
  assert.deepEqual(await run(a, (client) => client.presence.get()), { cursor: { x: 2 }, name: 'Ada' });
  await eventually(5_000, 'the cursor is gone', async () => !Object.hasOwn(await seen(), 'cursor_position'));
  assert.deepEqual(await run(b, (client) => client.presence.get()), {});
  // Set before connecting, it is there for everyone once connected, and who comes late sees who was there.
  const c = await openPeer(context, 'C', server, { room, connect: false });
  await run(c, (client) => client.presence.set({ name: 'Late' }));
  await run(c, (client) => client.connect());
  await eventually(5_000, 'the late one sees both', () => run(c, (client, id) => client.presence.others().get(id)?.name === 'Ada', id));
  const late = await run(c, (client) => client.peerId);
  await eventually(5_000, 'all see the late one', () => run(b, (client, late) => client.presence.others().get(late)?.name === 'Late', late));
  const closed = Date.now();
  await run(a, (client) => client.close());
  await eventually(5_000, 'it is gone', async () => (await seen()) === null);
  const told = (await run(b, () => window.presence)).filter(({ peerId }) => peerId === id);
  const after = told.at(-1).at - closed;
  assert.ok(after < 1_000, `gone after ${after} ms`);
  assert.ok(told.length >= 2 && told.at(-1).state === undefined && told.at(-2).state.name === 'Ada');
  assert.equal(await run(b, (client) => client.pending), 0);
});

test('documents: presence that is taken before connecting is taken by the module, up to the last byte', async (context) => {
  const { a, server, room } = await pair(context, 'presence-limit');
  const mixed = { n: null, t: [true, false], '😀': { '': -1, x: 0.5, z: -0 }, i: [63, 64, -64, -65, 8_191, 8_192, 2 ** 53 - 1, 2 ** 53] };
  const c = await openPeer(context, 'C', server, { room, connect: false });
  const set = await run(c, async (client, mixed) => {
    const fits = (length) => {
      try {
        client.presence.set({ mixed, note: 'x'.repeat(length) });
        return true;
      } catch {
        return false;
      }
    };
    let length = 4_096;
    while (!fits(length)) length -= 1;
    const errors = [];
    client.on('error', ({ message }) => errors.push(message));
    await client.connect();
    return { length, errors, kept: client.presence.get().note.length, more: fits(length + 1) };
  }, mixed);
  assert.deepEqual(set, { length: set.length, errors: [], kept: set.length, more: false });
  const id = await run(c, (client) => client.peerId);
  await eventually(5_000, 'the other has it', () => run(a, (client, id) => client.presence.others().get(id)?.note.length > 3_900, id));
});

test('documents: undo takes back own edits only, across documents, and redo brings them again', async (context) => {
  const { a, b } = await pair(context, 'undo');
  await run(a, (client) => {
    client.text('notes').insert(0, 'mine');
    client.records('shapes').set('sun', { x: 1 });
    client.checkpoint();
    client.map('settings').set('paper', 'lined');
    client.list('jobs').push('weed');
    client.records('shapes').set('sun', { x: 2 });
  });
  await agree(a, b, 'the edits of A');
  await run(b, (client) => {
    client.text('notes').insert(4, ' and yours');
    client.records('shapes').set('sun', { color: 'red' });
  });
  await agree(a, b, 'the edits of B');
  assert.deepEqual(await run(b, (client) => [client.canUndo, client.canRedo]), [true, false]);
  assert.deepEqual(await run(a, (client) => [client.undo(), client.canUndo, client.canRedo]), [true, true, true]);
  const values = (peer) => run(peer, (client) => [`${client.text('notes')}`, client.map('settings').size, client.list('jobs').length, client.records('shapes').get('sun')]);
  const until = (wanted, what) => eventually(10_000, what, async () =>
    JSON.stringify(await values(a)) === JSON.stringify(wanted) && JSON.stringify(await values(b)) === JSON.stringify(wanted));
  await until(['mine and yours', 0, 0, { id: 'sun', color: 'red', x: 1 }], 'the second step is taken back for both');
  assert.equal(await run(a, (client) => client.redo()), true);
  await until(['mine and yours', 1, 1, { id: 'sun', color: 'red', x: 2 }], 'it is done again for both');
  await run(a, (client) => [client.undo(), client.undo()]);
  await eventually(10_000, 'the text of B is left', async () => `${(await values(b))[0]}` === ' and yours');
  assert.equal(await run(a, (client) => client.undo()), false);
});

test('documents: one name is one of text, map and list, for everyone', async (context) => {
  const { a, b } = await pair(context, 'types');
  await run(a, (client) => client.map('settings').set('x', 1));
  await eventually(10_000, 'the map is here', () => run(b, (client) => client.map('settings').get('x') === 1));
  const codes = await run(b, (client) => {
    const attempts = [
      () => client.text('settings').insert(0, 'x'), () => client.list('settings').push(1),
      () => client.map('settings').set('y', 1), () => client.records('settings').set('a', {}),
    ];
    return attempts.map((attempt) => {
      try {
        attempt();
        return 'taken';
      } catch (error) {
        return `${error.name} ${error.code}`;
      }
    });
  });
  assert.deepEqual(codes, ['PeersyncError TYPE_MISMATCH', 'PeersyncError TYPE_MISMATCH', 'taken', 'taken']);
});

test('documents: a thousand shapes come at once', async (context) => {
  const { a, server, room } = await pair(context, 'thousand');
  await run(a, async (client) => {
    const shapes = client.records('shapes');
    for (let index = 0; index < 1_000; index += 1) {
      shapes.set(`shape-${index}`, { kind: 'line', x: index, y: 2 * index, width: 3, color: '#336699', points: [1, 2, 3, 4] });
    }
    await client.send({ type: 'operation', operation: 'INSERT', data: { content: 'done' } });
  });
  const c = await openPeer(context, 'C', server, { room, connect: false });
  const figures = await run(c, async (client) => {
    const started = performance.now();
    await client.connect();
    const arrived = performance.now();
    const { length } = client.records('shapes').values();
    return { length, connectMs: arrived - started, valuesMs: performance.now() - arrived };
  });
  console.log(`  1,000 shapes: connected with all in ${figures.connectMs.toFixed(0)} ms, values() ${figures.valuesMs.toFixed(1)} ms`);
  assert.equal(figures.length, 1_000);
});
