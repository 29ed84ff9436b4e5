/** `BrowserSyncClient`: one room at one backend. */

/// <reference lib="esnext.disposable" preserve="true" />

import type { ClientEvents, ClientStats } from './client-events.js';
import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkObject } from './internal/check.js';
import { Session } from './internal/session.js';
import { DEFAULT_CONNECT_TIMEOUT_MS, type ClientOptions, type ConnectOptions, type OpenOptions } from './options.js';
import { RoomClient } from './room.js';
import type { ClientStatus, Peer, SyncStatus, WaitOptions } from './types.js';

// Some browsers do not know the symbol yet; `await using` transpilers then look for this one.
const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose);

/**
 * A client of one room: its documents, messages and presence ({@link RoomClient}), and the connection to the backend
 * that keeps them. Works in windows and in workers. Constructing one does no work; `open()` loads the WebAssembly module
 * and what this device has of the room, and `connect()` dials too.
 *
 * The room is kept in the browser's database (see {@link ClientOptions.persistence}): at the next visit its content is
 * there without a connection, and edits that were not sent are sent then, once.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * client.on('status', (status) => console.log(status));
 * await client.connect();
 * client.text('notes').insert(0, 'Hello');
 * await client.close();
 * ```
 */
export class BrowserSyncClient extends RoomClient {
  readonly #session: Session;

  /**
   * Checks its arguments and does nothing else. Throws `INVALID_ADDRESS`, `INVALID_ARGUMENT` or `UNSUPPORTED`.
   *
   * @param url - The backend: a `ws://` or `wss://` URL with any path, or a multiaddr. With `/p2p/<peer id>` at its
   *   end, a backend of another identity is refused with `PEER_ID_MISMATCH`.
   * @param options - Every field is optional.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('wss://sync.example.org/ws', { room: 'garden', clientId: 'kitchen-tablet' });
   * console.assert(client.status === 'disconnected');
   * ```
   */
  constructor(url: string, options: ClientOptions = {}) {
    const session = new Session(url, options);
    super(session);
    this.#session = session;
  }

  /**
   * Loads the module (once per page) and what this device has of the room, and resolves when it can be read and edited.
   * Dials nothing: edits wait until `connect()` is called. Idempotent. Also resolves when there is no usable storage: the
   * room is then in memory, and a `storage` event has said so.
   *
   * Rejects with `INVALID_ARGUMENT`, `TIMEOUT`, `ABORTED`, `CONNECTION_FAILED` (the module could not be loaded; call again to retry),
   * `INVALID_ADDRESS`, `UNSUPPORTED`, `CLOSED` or `INTERNAL`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
   * await client.open();
   * console.log('as this device last saw it:', client.text('notes').toString());
   * client.text('notes').insert(0, 'Written offline. ');
   * client.connect().catch((error) => console.log('still trying:', error.code));
   * ```
   */
  async open(options: OpenOptions = {}): Promise<void> {
    checkObject('options', options);
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    return this.#session.open(signal ? { signal, timeoutMs } : { timeoutMs });
  }

  /**
   * Opens as `open()` does, dials the backend and resolves when the room's state is here: from this device if it has been
   * synced here before, else from the backend. {@link BrowserSyncClient.synced} says whether the backend was heard.
   * Idempotent: further calls wait for the same arrival. When the promise rejects with `TIMEOUT` or `ABORTED`, dialing
   * goes on in the background until `close()`.
   *
   * Rejects with `INVALID_ARGUMENT`, `TIMEOUT`, `ABORTED`, `CONNECTION_FAILED` (the module could not be loaded; call again to retry),
   * `INVALID_ADDRESS`, `PEER_ID_MISMATCH`, `ROOM_REFUSED`, `UNSUPPORTED`, `CLOSED` or `INTERNAL`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient, isPeersyncError } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * try {
   *   await client.connect({ timeoutMs: 5_000 });
   * } catch (error) {
   *   if (!isPeersyncError(error, 'TIMEOUT')) throw error;
   *   console.log('still trying in the background');
   * }
   * ```
   */
  async connect(options: ConnectOptions = {}): Promise<void> {
    checkObject('options', options);
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    return this.#session.connect(signal ? { signal, timeoutMs } : { timeoutMs });
  }

  /**
   * Calls `listener` for each event of `type`. A listener that throws is reported as an uncaught error and stops
   * nobody. Throws `INVALID_ARGUMENT` for an unknown event.
   *
   * @returns a function that ends the subscription, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.on('data', (message) => console.log(message.type, message.data));
   * stop();
   * ```
   */
  on<K extends keyof ClientEvents>(type: K, listener: Listener<ClientEvents[K]>, options?: ListenOptions): Unsubscribe {
    return this.#session.events.on(type, listener, options);
  }

  /**
   * Ends every subscription of `listener` to `type`. Throws `INVALID_ARGUMENT` for an unknown event.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const log = (status: string) => console.log(status);
   * client.on('status', log);
   * client.off('status', log);
   * ```
   */
  off<K extends keyof ClientEvents>(type: K, listener: Listener<ClientEvents[K]>): void {
    this.#session.events.off(type, listener);
  }

  /**
   * Like `on`, for the next event only. Without a listener it returns a promise of that event, which rejects with
   * `TIMEOUT`, `ABORTED`, `CLOSED` or `INTERNAL`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * client.once('connected', ({ peerId }) => console.log('backend', peerId));
   * await client.connect();
   * client.text('notes').insert(0, 'Hi');
   * const { durability } = await client.once('ack', { timeoutMs: 5_000 });
   * console.log(durability);
   * ```
   */
  once<K extends keyof ClientEvents>(type: K, listener: Listener<ClientEvents[K]>, options?: ListenOptions): Unsubscribe;
  once<K extends keyof ClientEvents>(type: K, options?: WaitOptions): Promise<ClientEvents[K]>;
  once<K extends keyof ClientEvents>(
    type: K,
    listener?: Listener<ClientEvents[K]> | WaitOptions,
    options?: ListenOptions,
  ): Unsubscribe | Promise<ClientEvents[K]> {
    if (typeof listener === 'function') return this.#session.events.once(type, listener, options);
    return this.#session.events.next(type, listener);
  }

  /**
   * Where the client stands.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.assert(client.status === 'connected');
   * ```
   */
  get status(): ClientStatus {
    return this.#session.status;
  }

  /**
   * Whether this client has everything the backend had when they last compared. `false` while disconnected.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * client.on('synced', () => console.assert(client.synced));
   * await client.connect();
   * ```
   */
  get synced(): boolean {
    return this.#session.bridge.peek(false, (native) => native.synced());
  }

  /**
   * Operations of this client that the backend has not acknowledged as on disk. After `close()`: what was left.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * client.on('pending', (pending) => console.log(pending === 0 ? 'saved' : `${pending} edits pending`));
   * await client.connect();
   * ```
   */
  get pending(): number {
    return this.#session.pending;
  }

  /**
   * Where this client's own edits are: on this device, at the backend. Edits of earlier visits that were not sent count
   * as well. After `close()`: as it was then.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient, type SyncStatus } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const show = ({ local, backend }: SyncStatus) => {
   *   if (backend === 'stored') console.log('Saved');
   *   else if (local === 'stored') console.log('Saved on this device, will be sent');
   *   else console.log(local === 'memory' ? 'Only in this tab' : 'Saving…');
   * };
   * client.on('syncStatus', show);
   * await client.connect();
   * show(client.syncStatus);
   * ```
   */
  get syncStatus(): SyncStatus {
    return this.#session.syncStatus;
  }

  /**
   * Who else is in the room now.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const { peerId, author } of client.peers) console.log(peerId, author);
   * ```
   */
  get peers(): Peer[] {
    return this.#session.bridge.peek<Peer[]>([], (native) => native.peers());
  }

  /**
   * This tab's transport identity; `undefined` before `open()` or `connect()` has loaded the module and after `close()`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.peerId);
   * ```
   */
  get peerId(): string | undefined {
    return this.#session.bridge.peek<string | undefined>(undefined, (native) => native.peerId());
  }

  /**
   * This user's identity, as others see it in text events; `undefined` when `peerId` is.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.log(client.author);
   * ```
   */
  get author(): string | undefined {
    return this.#session.bridge.peek<string | undefined>(undefined, (native) => native.author());
  }

  /**
   * Figures of this moment. Throws `CLOSED` or `INTERNAL`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * console.table(client.stats());
   * ```
   */
  stats(): ClientStats {
    return this.#session.stats();
  }

  /**
   * Stores and sends what is left, for a bounded time, and closes for good: later calls fail with `CLOSED`, and so does
   * every promise that still waits. `pending` then tells how many operations did not reach the backend; those that this
   * device has stored are sent by the next client of the room. Never rejects. Idempotent; `await using` calls it too.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * await client.close();
   * console.assert(client.status === 'closed');
   * ```
   */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** The same as `close()`. */
  [asyncDispose](): Promise<void> {
    return this.close();
  }
}
