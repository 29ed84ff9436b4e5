// Stands in for pkg/peersync.js: one replica in memory, and a backend that answers when `fake.auto` is set.

export const fake = {
  /** Every client ever made, oldest first. */
  clients: [],
  /** Connects, syncs and acknowledges by itself. */
  auto: true,
  /** So many loads fail before one works. */
  failLoads: 0,
  loads: [],
  trap: undefined,
};

export default async function init(input) {
  fake.loads.push(input);
  if (fake.failLoads > 0) {
    fake.failLoads -= 1;
    throw new TypeError('Failed to fetch');
  }
}

export function onTrap(callback) {
  fake.trap = callback;
}

export class NativeClient {
  calls = [];
  docs = new Map();
  seq = 0;
  acked = 0;
  isSynced = false;
  freed = false;
  peerList = [];
  /** Set: every call throws it. */
  broken = undefined;
  /** Replaces what `close()` waits for. */
  closing = Promise.resolve();

  constructor(options, onEvent) {
    if (options.url.startsWith('/bad')) throw { code: 'INVALID_ADDRESS', message: `'${options.url}' is no multiaddr` };
    this.options = options;
    this.onEvent = onEvent;
    fake.clients.push(this);
  }

  emit(...events) {
    queueMicrotask(() => {
      for (const event of events) if (!this.freed) this.onEvent(event);
    });
  }

  connect() {
    this.record('connect');
    if (fake.auto && !this.isSynced) this.arrive();
  }

  /** What a backend that can be reached brings about. */
  arrive(...messages) {
    this.isSynced = true;
    this.emit(
      { type: 'status', status: 'connected' },
      { type: 'connected', peerId: 'backend-peer' },
      { type: 'data', envelope: { type: 'snapshot', id: 's', data: {} } },
      ...messages.map((envelope) => ({ type: 'data', envelope })),
      { type: 'synced', synced: true },
    );
  }

  ack(seq = this.seq, durability = 'backend') {
    if (durability === 'backend') this.acked = seq;
    this.emit({ type: 'ack', seq, durability, by: 'backend-peer' }, { type: 'pending', pending: this.seq - this.acked });
  }

  wake() {
    this.record('wake');
  }

  close() {
    this.record('close');
    return this.closing;
  }

  free() {
    this.record('free');
    this.freed = true;
  }

  textInsert(doc, index, text, attributes) {
    this.record('textInsert', doc, index, text, attributes);
    const before = this.docs.get(doc) ?? '';
    if (index > before.length) throw { code: 'INVALID_ARGUMENT', message: `index ${index} is past the end` };
    return this.edit(doc, before.slice(0, index) + text + before.slice(index), [{ retain: index }, { insert: text }]);
  }

  textDelete(doc, index, length) {
    this.record('textDelete', doc, index, length);
    const before = this.docs.get(doc) ?? '';
    return this.edit(doc, before.slice(0, index) + before.slice(index + length), [{ retain: index }, { delete: length }]);
  }

  textFormat(doc, index, length, attributes) {
    this.record('textFormat', doc, index, length, attributes);
    return this.edit(doc, this.docs.get(doc) ?? '', [{ retain: index }, { retain: length, attributes }]);
  }

  textReplace(doc, text) {
    this.record('textReplace', doc, text);
    return this.edit(doc, text, [{ insert: text }]);
  }

  textString(doc) {
    this.record('textString', doc);
    return this.docs.get(doc) ?? '';
  }

  textLength(doc) {
    return this.textString(doc).length;
  }

  textDelta(doc) {
    return [{ insert: this.textString(doc) }];
  }

  send(envelope) {
    this.record('send', envelope);
    if (!envelope.data) throw { code: 'INVALID_ARGUMENT', message: 'data: missing' };
    this.seq += 1;
    if (fake.auto) this.ack();
    return { id: envelope.id ?? `id-${this.seq}`, seq: this.seq };
  }

  edit(doc, text, delta) {
    this.docs.set(doc, text);
    this.seq += 1;
    this.emit({ type: 'text', doc, delta, origin: 'local', author: 'me', id: `op-${this.seq}` });
    if (fake.auto) this.ack();
    return this.seq;
  }

  status() {
    return this.isSynced ? 'connected' : 'connecting';
  }

  synced() {
    this.record('synced');
    return this.isSynced;
  }

  pending() {
    this.record('pending');
    return this.seq - this.acked;
  }

  peers() {
    return this.peerList;
  }

  stats() {
    this.record('stats');
    return { ops_sent: this.seq };
  }

  peerId() {
    return 'own-peer';
  }

  author() {
    return 'me';
  }

  record(name, ...args) {
    if (this.freed) throw new TypeError('null pointer passed to rust');
    if (this.broken) throw this.broken;
    this.calls.push([name, ...args]);
  }

  called(name) {
    return this.calls.filter(([called]) => called === name);
  }
}

export { NativeClient as FakeNativeClient };
