// A client in a page, driven from here. The page is the landing page: it has the SDK beside it and no client of its own.
import { openPage } from './browsers.mjs';
import { eventually, within } from './runner.mjs';

const OPEN_MS = 25_000;

const rooms = new Map();

/** A room name that no other test uses. */
export function freshRoom(name) {
  rooms.set(name, (rooms.get(name) ?? 0) + 1);
  return `${name}-${rooms.get(name)}-${process.pid}`;
}

/** Opens a page in browser `name` with `window.peer = { client, text, events }`, connected to `room`. */
export async function openPeer(context, name, server, { room, backend = server.ws, connect = true }) {
  const page = await openPage(context, name, `${server.http}/`);
  const open = page.evaluate(
    async ({ backend, room, connect }) => {
      const { BrowserSyncClient } = await import('/sdk/index.js');
      const client = new BrowserSyncClient(backend, { room });
      const events = [];
      for (const type of ['connected', 'disconnected', 'reconnecting', 'synced', 'status', 'peer_join', 'peer_leave', 'error']) {
        client.on(type, (payload) => events.push({ type, at: Date.now(), payload, message: payload?.message }));
      }
      window.peer = { client, text: client.text('notes'), events };
      if (connect) await client.connect();
    },
    { backend, room, connect },
  );
  await within(OPEN_MS, `the client in browser ${name} ${connect ? 'is connected' : 'is made'}`, open);
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
