// What the backend has acknowledged outlives it, and every browser.
import assert from 'node:assert/strict';
import { freshRoom, openPeer } from '../lib/peer.mjs';
import { test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

for (const [how, end] of [['stopped', 'stop'], ['killed', 'kill']]) {
  test(`a ${how} server keeps its peer id and its text when every browser is gone`, async (context) => {
    const server = await startServer(context);
    const room = freshRoom('durable');
    const { peerId } = server.ready;
    const writer = await openPeer(context, 'A', server, { room });
    const text = 'Grüße aus 東京 👩‍🚀, kept';
    await writer.insert(0, text);
    await writer.settled();
    await writer.page.forget();

    const exit = await server[end]();
    if (end === 'stop') assert.equal(exit, 'exit code 0');
    await server.start();
    assert.equal(server.ready.peerId, peerId);

    const reader = await openPeer(context, 'B', server, { room });
    assert.equal(await reader.toString(), text);
    const [connected] = await reader.events('connected');
    assert.equal(connected.payload.peerId, peerId);
  });
}
