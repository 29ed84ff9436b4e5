// What a page can be asked to do, the same for every system: join a room, type at its end, note what arrives and when.
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { board } from './shapes.mjs';
import { stored } from './stored.mjs';

const now = () => performance.timeOrigin + performance.now();
const until = (time) => new Promise((resolve) => setTimeout(resolve, Math.max(0, time - now())));

const systems = {
  async peersync({ backend, sdk, room }) {
    const { BrowserSyncClient } = await import(sdk);
    const client = new BrowserSyncClient(backend, { room });
    const text = client.text('notes');
    await client.connect();
    return {
      append: (character) => text.insert(text.length, character),
      length: () => text.length,
      observe: (listener) => text.observe(({ delta, origin }) => origin === 'remote' && listener(delta)),
      operations: () => client.stats().operationsMade,
      settled: () => client.pending === 0,
      synced: () => client.synced,
      bytes: () => client.stats().bytesSent + client.stats().bytesReceived,
      close: () => client.close(),
    };
  },
  async yjs({ backend, room }) {
    const doc = new Y.Doc();
    // Without the shortcut between tabs of one browser: only the way through the server is measured.
    const provider = new WebsocketProvider(backend, room, doc, { disableBc: true });
    await new Promise((resolve) => provider.once('sync', resolve));
    const text = doc.getText('notes');
    let operations = 0;
    doc.on('update', (update, origin, _, transaction) => (operations += transaction.local ? 1 : 0));
    return {
      append: (character) => text.insert(text.length, character),
      length: () => text.length,
      observe: (listener) => text.observe((event, { local }) => local || listener(event.delta)),
      operations: () => operations,
      settled: () => true,
      synced: () => provider.synced,
      leave: () => provider.disconnect(),
      back: () => provider.connect(),
      close: () => provider.destroy(),
    };
  },
};

const sessions = new Map();

window.bench = {
  ...board,
  ...stored,

  /** Joins. Answers how long that took, in milliseconds. */
  async open(name, system, options) {
    const begun = performance.now();
    const session = await systems[system](options);
    const took = performance.now() - begun;
    const arrivals = [];
    session.observe((delta) => {
      const at = now();
      for (const { insert } of delta) for (const _ of insert ?? '') arrivals.push(at);
    });
    sessions.set(name, { ...session, arrivals });
    return took;
  },

  /** Types `count` characters, one every `everyMs`. Answers when each was typed and how long the call took, in ms. */
  async type(name, count, everyMs) {
    const { append } = sessions.get(name);
    const typed = [];
    const begin = now() + everyMs;
    for (let place = 0; place < count; place += 1) {
      await until(begin + place * everyMs);
      const at = now();
      append(String.fromCharCode(97 + (place % 26)));
      typed.push({ at, took: now() - at });
    }
    return typed;
  },

  length: (name) => sessions.get(name).length(),
  operations: (name) => sessions.get(name).operations(),
  settled: (name) => sessions.get(name).settled(),
  synced: (name) => sessions.get(name).synced(),
  bytes: (name) => sessions.get(name).bytes(),
  leave: (name) => sessions.get(name).leave(),
  back: (name) => sessions.get(name).back(),
  arrivals: (name) => sessions.get(name).arrivals,
  async close(name) {
    await sessions.get(name).close();
    sessions.delete(name);
  },

  /** How far the clock of this machine's other processes is ahead of this page's, and how sure that is, in ms. */
  async clock() {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/clock`);
    await new Promise((resolve) => (socket.onopen = resolve));
    let best = { roundTrip: Infinity };
    for (let sample = 0; sample < 300; sample += 1) {
      const sent = now();
      const theirs = await new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(Number(data));
        socket.send('');
      });
      const received = now();
      const roundTrip = received - sent;
      if (roundTrip < best.roundTrip) best = { roundTrip, ahead: theirs - (sent + received) / 2 };
    }
    socket.close();
    return { ahead: best.ahead, error: best.roundTrip / 2 };
  },

  /** Loads the module, cold, then joins an empty room. Milliseconds. */
  async load({ http, backend, room }) {
    const begun = performance.now();
    const glue = await import(`${http}/pkg/peersync.js`);
    await glue.default({ module_or_path: `${http}/pkg/peersync_bg.wasm` });
    const loaded = performance.now();
    const { BrowserSyncClient } = await import(`${http}/sdk/index.js`);
    const client = new BrowserSyncClient(backend, { room });
    const joining = performance.now();
    await client.connect();
    const joined = performance.now();
    await client.close();
    return { load: loaded - begun, join: joined - joining };
  },
};
