// Several browsers, one backend: whatever happens to the network or the backend, no edit is lost or doubled.
import assert from 'node:assert/strict';
import { expectSameText, freshRoom, openPeer, tokensOf } from '../lib/peer.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { eventually, pause, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const EDITS = 200;
const TOKENS = [...tokensOf('a', EDITS), ...tokensOf('b', EDITS)];
const FRAME = '<>';
/** Presence of a peer that vanished is gone within this. */
const VANISHED_MS = 30_000;
/** A half-open connection has to be noticed within this. */
const HALF_OPEN_MS = 20_000;

/** Both type between the brackets, at the same position at the same time. */
function typeBoth(a, b, everyMs) {
  const startAt = Date.now() + 300;
  const at = { count: EDITS, index: 1, everyMs, startAt };
  return Promise.all([a.type({ ...at, prefix: 'a' }), b.type({ ...at, prefix: 'b' })]);
}

async function openBoth(context, server, backendOfB) {
  const room = freshRoom('together');
  const a = await openPeer(context, 'A', server, { room });
  await a.insert(0, FRAME);
  const b = await openPeer(context, 'B', server, backendOfB ? { room, backend: backendOfB } : { room });
  await eventually(10_000, 'the second browser has the frame', async () => (await b.toString()) === FRAME);
  return { room, a, b };
}

test('two browsers type at one position, a third joins late: one text, every edit once', async (context) => {
  const server = await startServer(context);
  const { room, a, b } = await openBoth(context, server);
  await typeBoth(a, b, 10);
  await expectSameText([a, b], TOKENS, FRAME);
  await Promise.all([a.settled(), b.settled()]);
  const late = await openPeer(context, 'C', server, { room });
  await expectSameText([a, b, late], TOKENS, FRAME);
});

test('the backend is killed and restarted while two type: nothing lost, nothing doubled', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const { room, a, b } = await openBoth(context, server);
  const typing = typeBoth(a, b, 20);
  await eventually(20_000, 'half of the edits are typed', async () => (await a.typed()) >= EDITS / 2);
  await server.kill();
  await pause(800);
  await server.start();
  await typing;
  await expectSameText([a, b], TOKENS, FRAME, 60_000);
  await Promise.all([a.settled(), b.settled()]);
  const late = await openPeer(context, 'C', server, { room });
  await expectSameText([a, b, late], TOKENS, FRAME);
});

test('one browser is cut off and goes on editing: nothing lost, nothing doubled', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  const { a, b } = await openBoth(context, server, proxy.ws);
  const typing = typeBoth(a, b, 20);
  await eventually(20_000, 'some edits are typed', async () => (await b.typed()) >= EDITS / 4);
  proxy.cut();
  await typing;
  const { status, pending } = await b.state();
  assert.notEqual(status, 'connected');
  assert.ok(pending > 0, 'edits made while cut off are pending');
  const textOfB = await b.toString();
  assert.ok(textOfB.includes(`[b${EDITS - 1}]`), 'the cut-off browser sees its own edits');
  assert.ok(!textOfB.includes(`[a${EDITS - 1}]`), 'it cannot have seen the last edit of the other');
  proxy.restore();
  await expectSameText([a, b], TOKENS, FRAME, 60_000);
  await Promise.all([a.settled(), b.settled()]);
});

test('a half-open connection is noticed within 20 s, its presence is gone within 30, and its edits arrive', { timeoutMs: 120_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  const { a, b } = await openBoth(context, server, proxy.ws);
  await Promise.all([a.settled(), b.settled()]);
  const others = () => a.page.evaluate(() => [...window.peer.client.presence.others().values()]);
  await b.page.evaluate(() => window.peer.client.presence.set({ name: 'B' }));
  await eventually(5_000, 'the other is seen', async () => (await others())[0]?.name === 'B');
  proxy.blackhole();
  const since = Date.now();
  await b.insert(1, '[b0]');
  await a.insert(1, '[a0]');
  const noticed = await eventually(HALF_OPEN_MS + 2_000, 'the dead connection is noticed', async () => {
    const gone = await b.events('disconnected');
    return gone.find(({ at }) => at >= since);
  });
  assert.ok(noticed.at - since <= HALF_OPEN_MS, `noticed after ${noticed.at - since} ms`);
  assert.equal((await b.state()).pending > 0, true);
  await eventually(since + VANISHED_MS - Date.now(), 'who vanished is no longer shown', async () => (await others()).length === 0);
  console.log(`# noticed after ${noticed.at - since} ms, gone for the other after ${Date.now() - since} ms`);
  proxy.restore();
  await expectSameText([a, b], ['[a0]', '[b0]'], FRAME, 60_000);
  await eventually(10_000, 'and is shown again', async () => (await others())[0]?.name === 'B');
  await b.settled();
});

test('the network coming back is used at once, not after the back-off', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  const { b } = await openBoth(context, server, proxy.ws);
  proxy.cut();
  // Long enough for the back-off to have grown well beyond the second allowed below.
  await eventually(60_000, 'a delay of 4 s or more is scheduled', async () => {
    const tries = await b.events('reconnecting');
    return tries.at(-1)?.payload.delayMs >= 4_000;
  });
  proxy.restore();
  const since = Date.now();
  await b.page.evaluate(() => dispatchEvent(new Event('online')));
  await eventually(2_000, 'connected again', async () => (await b.state()).status === 'connected');
  assert.ok(Date.now() - since < 2_000);
});
