/** `BrowserSyncClient`: one room at one backend. */

/// <reference lib="esnext.disposable" preserve="true" />

import { CLIENT_EVENTS, type ClientEvents, type ClientStats } from './client-events.js';
import { PeersyncError } from './errors.js';
import { Emitter, type ListenOptions, type Listener, type Unsubscribe } from './events.js';
import { Acks } from './internal/acks.js';
import { plain } from './internal/plain.js';
import { Arrivals, type Arrival } from './internal/arrivals.js';
import { Bridge, toCode } from './internal/bridge.js';
import { DataBuffer } from './internal/data-buffer.js';
import type { NativeEvent } from './internal/native.js';
import { waitFor } from './internal/wait.js';
import { onWake } from './internal/wake.js';
import { checkDocumentName, checkOptions, checkUntil, DEFAULT_CONNECT_TIMEOUT_MS } from './options.js';
import type { ClientOptions, ConnectOptions, SendOptions } from './options.js';
import { SharedText } from './text.js';
import type { Ack, ClientStatus, OperationMessage, OutgoingMessage, Peer, SyncMessage } from './types.js';
import type { TextEvent, WaitOptions } from './types.js';

/** Failures after which waiting for the room is pointless. */
const FATAL: ReadonlySet<string> = new Set(['INVALID_ADDRESS', 'PEER_ID_MISMATCH', 'ROOM_REFUSED', 'UNSUPPORTED']);

// Some browsers do not know the symbol yet; `await using` transpilers then look for this one.
const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose);

/**
 * A client of one room: shared texts, messages, and the connection to the backend that keeps them. Works in windows
 * and in workers. Constructing one does no work; `connect()` loads the WebAssembly module and dials.
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
export class BrowserSyncClient {
  readonly #room: string;
  readonly #debug: boolean;
  readonly #bridge: Bridge;
  readonly #events: Emitter<ClientEvents>;
  readonly #data: DataBuffer;
  readonly #acks = new Acks();
  readonly #texts = new Map<string, { text: SharedText; deliver: (event: TextEvent) => void }>();
  readonly #arrivals = new Arrivals();
  #stopWake: Unsubscribe | undefined;
  #stopSignal: Unsubscribe = () => {};
  #closing: Promise<void> | undefined;
  #status: ClientStatus = 'disconnected';
  #pending = 0;
  #lastFailure: PeersyncError | undefined;

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
    const { signal, ...checked } = checkOptions(url, options);
    this.#room = checked.room;
    this.#debug = checked.debug !== undefined;
    this.#bridge = new Bridge(checked, {
      event: (event) => this.#handle(event),
      died: (failure) => this.#die(failure),
    });
    this.#events = new Emitter<ClientEvents>(CLIENT_EVENTS, (type) => {
      if (type === 'data') this.#data.listenerAdded();
    });
    this.#data = new DataBuffer({
      has: () => this.#events.has('data'),
      emit: (message) => this.#events.emit('data', message),
    });
    if (signal?.aborted) void this.close();
    else if (signal) {
      const close = () => void this.close();
      signal.addEventListener('abort', close);
      this.#stopSignal = () => signal.removeEventListener('abort', close);
    }
  }

  /**
   * Loads the module (once per page), dials the backend and resolves when the room's state has arrived. Idempotent:
   * further calls wait for the same arrival. When the promise rejects with `TIMEOUT` or `ABORTED`, dialing goes on in
   * the background until `close()`.
   *
   * Rejects with `TIMEOUT`, `ABORTED`, `CONNECTION_FAILED` (the module could not be loaded; call again to retry),
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
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    this.#check();
    const wait: WaitOptions = signal ? { signal, timeoutMs } : { timeoutMs };
    const what = `the state of room '${this.#room}' did not arrive`;
    await waitFor<void>(wait, what, (resolve, reject) => this.#awaitArrival({ resolve, reject }), () => this.#lastFailure);
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
    return this.#events.on(type, listener, options);
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
    this.#events.off(type, listener);
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
    if (typeof listener === 'function') return this.#events.once(type, listener, options);
    return this.#events.next(type, listener);
  }

  /**
   * Sends an operation of `/sync/1.0.0` on a text and resolves when it is as safe as `until` says. It applies at once
   * to this client's own documents. While offline it waits and is sent after reconnecting.
   *
   * Rejects with `INVALID_ARGUMENT` (the message names the field), `REFUSED` or a more precise code such as
   * `TYPE_MISMATCH`, `TOO_LARGE` or `ROOM_FULL`, `NOT_CONNECTED`, `TIMEOUT`, `ABORTED`, `CLOSED` or `INTERNAL`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const ack = await client.send({ type: 'operation', operation: 'INSERT', data: { content: 'New text' } });
   * console.log(ack.id, 'is on disk at', ack.by);
   * ```
   */
  async send(message: OutgoingMessage, options: SendOptions = {}): Promise<Ack> {
    const until = checkUntil(options.until);
    if (typeof message !== 'object' || message === null) {
      throw new PeersyncError('INVALID_ARGUMENT', `the message must be an object, not ${String(message)}`);
    }
    this.#check();
    const copy = plain('message', message);
    return waitFor<Ack>(options, 'the operation was not acknowledged', (resolve, reject) => {
      const { id, seq } = this.#bridge.call('sending', (native) => native.send(copy));
      // It has been applied: that is all `local` asks for.
      if (until === 'local') resolve({ id, durability: 'local', by: this.#bridge.peek('', (native) => native.peerId()) });
      return this.#acks.add(seq, id, { until, resolve, reject });
    });
  }

  /**
   * The text document of this name; the same object for the same name. May be called before `connect()`. Throws
   * `INVALID_ARGUMENT` or `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * console.assert(client.text('notes') === client.text('notes'));
   * ```
   */
  text(name: string): SharedText {
    this.#check();
    const known = this.#texts.get(checkDocumentName(name));
    if (known) return known.text;
    let deliver: (event: TextEvent) => void = () => {};
    const text = new SharedText(name, this.#bridge, (given) => (deliver = given));
    this.#texts.set(name, { text, deliver });
    return text;
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
    return this.#status;
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
    return this.#bridge.peek(false, (native) => native.synced());
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
    return this.#bridge.peek(this.#pending, (native) => native.pending());
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
    return this.#bridge.peek<Peer[]>([], (native) => native.peers());
  }

  /**
   * This tab's transport identity; `undefined` before `connect()` has loaded the module and after `close()`.
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
    return this.#bridge.peek<string | undefined>(undefined, (native) => native.peerId());
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
    return this.#bridge.peek<string | undefined>(undefined, (native) => native.author());
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
    this.#check();
    const native = this.#bridge.peek<Record<string, unknown>>({}, (client) => client.stats());
    return { ...native, dataBuffered: this.#data.buffered, dataDropped: this.#data.dropped };
  }

  /**
   * Sends what is unsent, for a bounded time, and closes for good: later calls fail with `CLOSED`, and so does every
   * promise that still waits. `pending` then tells how many operations did not reach the backend. Never rejects.
   * Idempotent; `await using` calls it too.
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
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The same as `close()`. */
  [asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#unhook();
    const closed = new PeersyncError('CLOSED', 'the client was closed');
    // Not the acks: some may still come while the native side sends what is unsent.
    this.#arrivals.fail(closed);
    await this.#bridge.close();
    this.#setStatus('closed');
    this.#acks.fail(closed);
    this.#events.fail(closed);
  }

  #check(): void {
    const failure = this.#bridge.failure;
    if (failure) throw failure;
  }

  #awaitArrival(arrival: Arrival): () => void {
    this.#stopWake ??= onWake(() => this.#wake());
    if (!this.#bridge.started) this.#setStatus('connecting');
    this.#bridge.start().catch((error: PeersyncError) => {
      if (!this.#closing) this.#setStatus('disconnected');
      arrival.reject(error);
    });
    return this.#arrivals.add(arrival);
  }

  #wake(): void {
    try {
      this.#bridge.peek(undefined, (native) => native.wake());
    } catch (error) {
      if (error instanceof PeersyncError) this.#report(error);
    }
  }

  #handle(event: NativeEvent): void {
    if (this.#debug) console.debug('peersync', event);
    switch (event.type) {
      case 'status':
        return this.#setStatus(event.status);
      case 'connected':
        return this.#events.emit('connected', { peerId: event.peerId });
      case 'disconnected':
        this.#lastFailure = new PeersyncError('CONNECTION_FAILED', event.reason);
        return this.#events.emit('disconnected', { reason: event.reason });
      case 'reconnecting':
        return this.#events.emit('reconnecting', { attempt: event.attempt, delayMs: event.delayMs });
      case 'synced':
        return this.#setSynced(event.synced);
      case 'pending':
        this.#pending = event.pending;
        return this.#events.emit('pending', event.pending);
      case 'text': {
        const { delta, origin, author, id } = event;
        return this.#texts.get(event.doc)?.deliver({ delta, origin, author, id });
      }
      case 'data':
        return this.#deliver(event.envelope as SyncMessage);
      case 'ack': {
        const { seq, durability, by } = event;
        return this.#events.emit('ack', { seq, ids: this.#acks.ack(event), durability, by });
      }
      case 'refused': {
        const error = new PeersyncError(toCode(event.code, 'REFUSED'), event.message);
        return this.#acks.refuse(event.seq, error) ? undefined : this.#report(error);
      }
      case 'peer_join':
      case 'peer_leave':
        return this.#events.emit(event.type, { peerId: event.peerId, author: event.author });
      case 'error':
        return this.#fail(new PeersyncError(toCode(event.code, 'INTERNAL'), event.message));
    }
  }

  #deliver(message: SyncMessage): void {
    this.#data.push(message);
    if (message.type === 'operation') this.#events.emit('operation', message as OperationMessage);
  }

  #setStatus(status: ClientStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#events.emit('status', status);
  }

  #setSynced(synced: boolean): void {
    if (synced) this.#arrivals.arrived();
    this.#events.emit('synced', synced);
  }

  #fail(error: PeersyncError): void {
    this.#lastFailure = error;
    const awaited = FATAL.has(error.code) && this.#arrivals.fail(error);
    // Whoever awaits `connect()` hears of it there.
    if (!awaited || this.#events.has('error')) this.#report(error);
  }

  #report(error: PeersyncError): void {
    if (this.#events.has('error')) this.#events.emit('error', error);
    else console.warn('peersync:', error);
  }

  #die(failure: PeersyncError): void {
    this.#unhook();
    this.#setStatus('closed');
    this.#arrivals.fail(failure);
    this.#acks.fail(failure);
    this.#report(failure);
    this.#events.fail(failure);
  }

  #unhook(): void {
    this.#stopWake?.();
    this.#stopWake = undefined;
    this.#stopSignal();
  }
}
