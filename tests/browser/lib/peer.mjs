// A client in a page, driven from here. The page is the landing page: it has the SDK beside it and no client of its own.
import assert from 'node:assert/strict';
import { openPage } from './browsers.mjs';
import { eventually, within } from './runner.mjs';

const OPEN_MS = 25_000;

const rooms = new Map();

/** A room name that no other test uses. */
export function freshRoom(name) {
  rooms.set(name, (rooms.get(name) ?? 0) + 1);
  return `${name}-${rooms.get(name)}-${process.pid}`;
}

/**
 * Opens a page in browser `name` with `window.peer = { client, text, events }`, connected to `room`. `site` serves the page,
 * if it is not the server; `prepare(page)` comes before it is loaded; whatever else is given are options of the client.
 */
export async function openPeer(context, name, server, { site = server.http, prepare, ...given }) {
  const page = await openPage(context, name, `${site}/`, { prepare });
  return makePeer(page, server, given);
}

/** The same in a page that is open. `until`: what is waited for, `connect` or `open` of the client, or nothing. */
export async function makePeer(page, server, { room, backend = server.ws, connect = true, until = connect ? 'connect' : '', ...options }) {
  const open = page.evaluate(
    async ({ backend, until, options }) => {
      const { BrowserSyncClient } = await import('/sdk/index.js');
      const client = new BrowserSyncClient(backend, options);
      const events = [];
      const types = ['connected', 'disconnected', 'reconnecting', 'synced', 'status', 'peer_join', 'peer_leave', 'error', 'opened', 'storage', 'syncStatus', 'ack'];
      for (const type of types) {
        client.on(type, (payload) => events.push({ type, at: Date.now(), payload, message: payload?.message, code: payload?.code }));
      }
      window.peer = { client, text: client.text('notes'), events };
      window.peer.text.observe(({ origin, id }) => (window.peer.last = origin === 'local' ? id : window.peer.last));
      if (until) await client[until]();
    },
    { backend, until, options: { room, ...options } },
  );
  await within(OPEN_MS, `the client ${until ? `has done ${until}()` : 'is made'}`, open);
  return new Peer(page);
}

class Peer {
  constructor(page) {
    this.page = page;
  }

  toString() {
    return this.page.evaluate(() => window.peer.text.toString());
  }

  insert(index, text) {
    return this.page.evaluate(([index, text]) => window.peer.text.insert(index, text), [index, text]);
  }

  /** Inserts `[<prefix>0]`, `[<prefix>1]`, … at `index`, one every `everyMs`, beginning at `startAt` (Unix time, ms). */
  type({ prefix, count, index, everyMs, startAt }) {
    return this.page.evaluate(
      async ({ prefix, count, index, everyMs, startAt }) => {
        const until = (time) => new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())));
        for (let edit = 0; edit < count; edit += 1) {
          await until(startAt + edit * everyMs);
          window.peer.text.insert(index, `[${prefix}${edit}]`);
          window.peer.typed = edit + 1;
        }
      },
      { prefix, count, index, everyMs, startAt },
    );
  }

  typed() {
    return this.page.evaluate(() => window.peer.typed ?? 0);
  }

  state() {
    return this.page.evaluate(() => {
      const { status, synced, pending } = window.peer.client;
      return { status, synced, pending };
    });
  }

  syncStatus() {
    return this.page.evaluate(() => window.peer.client.syncStatus);
  }

  /** The log that this client's last edit is in. */
  writer() {
    return this.page.evaluate(() => window.peer.last?.split('_')[0]);
  }

  /** Every own edit is on this device. */
  stored(ms = 10_000) {
    return eventually(ms, 'everything is stored on this device', async () => (await this.syncStatus()).local === 'stored');
  }

  events(type) {
    return this.page.evaluate((type) => window.peer.events.filter((event) => event.type === type), type);
  }

  /** Everything of this client is on the backend's disk, and it has what the backend has. */
  settled(ms = 20_000) {
    return eventually(ms, 'connected, synced and nothing pending', async () => {
      const { status, synced, pending } = await this.state();
      return status === 'connected' && synced && pending === 0;
    });
  }
}

/** All end with one text that has each of `tokens` exactly once and nothing else than `frame` around them. */
export async function expectSameText(peers, tokens, frame, ms = 20_000) {
  const wanted = tokens.reduce((sum, token) => sum + token.length, frame.length);
  let texts = [];
  await eventually(ms, 'every page has the same, whole text', async () => {
    texts = await Promise.all(peers.map((peer) => peer.toString()));
    return texts.every((text) => text === texts[0] && text.length === wanted);
  }).catch((error) => {
    const lengths = texts.map((text) => text.length).join(', ');
    const wrong = texts.map((text) => tokens.filter((token) => text.split(token).length !== 2).slice(0, 8).join(' '));
    throw new Error(`${error.message}; lengths ${lengths} of ${wanted}; lost or doubled: ${wrong.join(' | ') || 'none'}`);
  });
  for (const token of tokens) {
    const times = texts[0].split(token).length - 1;
    if (times !== 1) throw new Error(`${token} is there ${times} times`);
  }
}

export const tokensOf = (prefix, count) => Array.from({ length: count }, (_, edit) => `[${prefix}${edit}]`);

/** What is refused as signed twice at one position: a client that used a number again. */
export async function expectNoEquivocation(server) {
  const metrics = await (await fetch(`${server.http}/metrics`)).text();
  const [, count] = metrics.match(/^peersync_refused_total\{reason="equivocation"\} (\d+)$/m) ?? [];
  assert.equal(count ?? '0', '0', 'operations were refused as signed twice at one position');
}
