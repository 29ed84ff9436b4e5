// What both pages show of how things stand: always what is known, never what is hoped.

/** After these nothing goes on. */
const FINAL = ['INTERNAL', 'INVALID_ADDRESS', 'PEER_ID_MISMATCH', 'ROOM_REFUSED', 'UNSUPPORTED'];
/** Why this device keeps nothing any more. */
const REASONS = {
  STORAGE_FULL: 'This device has no room left',
  STORAGE_FAILED: 'This browser has no storage that works',
  STORAGE_CORRUPT: 'What was stored here cannot be read',
  STORAGE_NEWER: 'A newer version of this page has stored things here',
};
/** A room that this device does not have is shown once the backend was heard, or has kept silent for so long. */
const PATIENCE_MS = 1_500;
/** From then on it is said for how long an edit has been waiting. */
const LONG_MS = 5_000;

const ago = (ms) => (ms < 90_000 ? `${Math.round(ms / 1_000)} s` : ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`);

/** Where the edits are while there is no connection. */
function offline({ local, backend, oldestPendingMs }) {
  if (backend === 'stored') {
    return local === 'memory' ? 'Offline – edits are kept in this tab only' : 'Offline – edits are kept on this device';
  }
  const since = oldestPendingMs > LONG_MS ? `, unsent for ${ago(oldestPendingMs)}` : '';
  if (local === 'memory') return `Offline – only in this tab${since || ': this browser keeps nothing'}`;
  return local === 'stored' ? `Offline – saved on this device${since || ', will be sent'}` : `Offline – saving on this device${since || '…'}`;
}

/** How one client stands, and when its room can be shown. */
export class Status {
  #client;
  #handlers;
  #failure = '';
  /** A try to connect has failed, or the connection was lost. */
  #lost = false;
  #retryAt = 0;
  #backendPeer;
  /** The room can be shown and edited: as this device has it, as the backend has it, or empty if neither is to be had. */
  arrived = false;

  /** `arrive()` is called once, `change()` whenever what is shown may change, `stop(sentence)` when nothing goes on. */
  constructor(client, { arrive, change, stop, toast }) {
    this.#client = client;
    this.#handlers = { arrive, change, stop };
    client.on('opened', ({ restored }) => {
      if (restored) this.#arrive();
      else setTimeout(() => this.#arrive(), PATIENCE_MS);
    });
    client.on('connected', ({ peerId }) => {
      this.#backendPeer = peerId;
      this.#lost = false;
    });
    client.on('synced', (synced) => synced && this.#arrive());
    client.on('reconnecting', ({ delayMs }) => {
      this.#lost = true;
      this.#retryAt = Date.now() + delayMs;
      this.#arrive();
    });
    client.on('error', (error) => {
      if (FINAL.includes(error.code)) this.fail(error);
      // What lasts is what the line says, for as long as it lasts.
      else if (error.code !== 'CONNECTION_FAILED' && !error.code.startsWith('STORAGE')) toast(error.message, 6_000);
    });
    client.on('storage', ({ mode, reason }) => {
      if (mode === 'indexeddb') toast('Edits are kept on this device again', 6_000);
      else if (reason) toast(`${REASONS[reason] ?? REASONS.STORAGE_FAILED}: edits are kept in this tab until they are sent`, 6_000);
    });
    const events = ['opened', 'status', 'synced', 'pending', 'syncStatus', 'storage', 'connected', 'reconnecting', 'peer_join', 'peer_leave'];
    for (const event of events) client.on(event, change);
    // For what grows with time.
    setInterval(change, 1_000);
    addEventListener('beforeunload', (event) => {
      const { local, backend } = client.syncStatus;
      if (local !== 'stored' && backend !== 'stored') event.preventDefault();
    });
  }

  /** Nothing goes on. */
  fail(error) {
    this.#failure ||= `Stopped: ${error.message}`;
    this.#handlers.stop(this.#failure);
    this.#handlers.change();
  }

  get failed() {
    return this.#failure !== '';
  }

  /** `[kind, sentence, explanation]` for the status line. */
  get line() {
    const { status, synced, syncStatus } = this.#client;
    const { local, backend, oldestPendingMs } = syncStatus;
    if (this.failed) return ['failed', this.#failure, ''];
    const waits = oldestPendingMs > LONG_MS ? 'That is the age of the oldest edit that the server does not have.' : '';
    if (status !== 'connected') {
      if (!this.#lost && backend === 'stored') return ['connecting', 'Connecting…', ''];
      const seconds = Math.ceil((this.#retryAt - Date.now()) / 1_000);
      return [local === 'memory' ? 'unsafe' : 'offline', offline(syncStatus), `${waits} Next try ${seconds > 0 ? `in ${seconds} s` : 'now'}.`.trim()];
    }
    if (backend !== 'stored') return ['pending', oldestPendingMs > LONG_MS ? `Sending… for ${ago(oldestPendingMs)}` : 'Sending…', waits];
    if (!synced) return ['connecting', 'Catching up…', ''];
    return ['saved', local === 'memory' ? 'Saved – this browser keeps no copy' : 'Saved', ''];
  }

  /** Those who are here beside this one, as the client names them; `undefined` while that is not known. */
  get others() {
    const { status, author, peers } = this.#client;
    if (!this.arrived || status !== 'connected') return undefined;
    // The backend is a peer too, but not one of the people.
    return peers.filter((peer) => peer.peerId !== this.#backendPeer && peer.author !== author);
  }

  #arrive() {
    if (this.arrived || this.failed) return;
    this.arrived = true;
    performance.mark('room usable');
    this.#handlers.arrive();
    this.#handlers.change();
  }
}

/** Shows the line in `element`. Whether it has changed. */
export function showLine(element, [kind, sentence, explanation]) {
  element.dataset.state = kind;
  element.title = explanation;
  if (element.textContent === sentence) return false;
  element.textContent = sentence;
  return true;
}
