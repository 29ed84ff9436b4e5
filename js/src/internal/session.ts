/** One client below its public face: its lifetime, who waits for what, and where native events go. */

import { CLIENT_EVENTS, type ClientEvents, type ClientStats } from '../client-events.js';
import { PeersyncError } from '../errors.js';
import { Emitter, type Unsubscribe } from '../events.js';
import type { SharedList } from '../list.js';
import type { SharedMap } from '../map.js';
import type { OperationMessage, SyncMessage } from '../messages.js';
import { checkOptions, checkUntil, type SendOptions } from '../options.js';
import type { SharedRecords } from '../records.js';
import type { SharedText } from '../text.js';
import type { Ack, AckEvent, ClientStatus, ListEvent, MapEvent, RecordsEvent, StorageChange, SyncStatus, TextEvent, WaitOptions } from '../types.js';
import { Acks } from './acks.js';
import { Arrivals, type Arrival } from './arrivals.js';
import { Bridge, toCode } from './bridge.js';
import { checkObject, invalid, shown } from './check.js';
import { DataBuffer } from './data-buffer.js';
import { choose, trace } from './debug.js';
import { Documents } from './document.js';
import { LivePresence } from './live-presence.js';
import type { NativeClient, NativeEvent, NativeSyncStatus } from './native.js';
import { plain } from './plain.js';
import { restoredList, restoredMap, restoredRecords, restoredText } from './restored.js';
import { SentIds } from './sent-ids.js';
import { nothingMade, SyncState, syncStatusOf } from './sync-state.js';
import { waitFor } from './wait.js';
import { onPage } from './wake.js';

/** Failures after which waiting for the room is pointless. */
const FATAL: ReadonlySet<string> = new Set(['INVALID_ADDRESS', 'PEER_ID_MISMATCH', 'ROOM_REFUSED', 'UNSUPPORTED']);

/** Parts of a message that may be larger than one operation. */
const LONG_TEXTS = ['message.data.content', 'message.data.document'];

/** What a client and its documents share. */
export class Session {
  readonly bridge: Bridge;
  readonly events: Emitter<ClientEvents>;
  readonly texts: Documents<TextEvent, SharedText>;
  readonly maps: Documents<MapEvent, SharedMap>;
  readonly lists: Documents<ListEvent, SharedList>;
  readonly records: Documents<RecordsEvent, SharedRecords>;
  readonly presence: LivePresence;
  readonly #room: string;
  readonly #data: DataBuffer;
  readonly #acks = new Acks();
  readonly #sentIds = new SentIds();
  /** Who waits for what this device has. */
  readonly #openings = new Arrivals();
  /** Who waits for the room's state. */
  readonly #arrivals = new Arrivals();
  readonly #told: SyncState;
  #stopPage: Unsubscribe | undefined;
  #stopSignal: Unsubscribe = () => {};
  #closing: Promise<void> | undefined;
  #status: ClientStatus = 'disconnected';
  /** As counted last; of use once the module is gone. */
  #counted: NativeSyncStatus;
  /** Peer id of the backend, once it was connected. */
  #backend: string | undefined;
  #lastFailure: PeersyncError | undefined;

  constructor(url: unknown, options: unknown) {
    const { signal, debug, ...checked } = checkOptions(url, options);
    if (debug !== undefined) choose(debug);
    this.#room = checked.room;
    this.#counted = nothingMade(checked.persistence);
    this.#told = new SyncState(syncStatusOf(this.#counted, this.#status));
    this.bridge = new Bridge(checked, {
      opened: () => this.#opened(),
      event: (event) => this.#handle(event),
      died: (failure) => this.#die(failure),
    });
    this.texts = new Documents(this.bridge);
    this.maps = new Documents(this.bridge);
    this.lists = new Documents(this.bridge);
    this.records = new Documents(this.bridge);
    this.presence = new LivePresence(this.bridge);
    this.events = new Emitter<ClientEvents>(CLIENT_EVENTS, (type) => {
      if (type === 'data') this.#data.listenerAdded();
    });
    this.#data = new DataBuffer({
      has: () => this.events.has('data'),
      emit: (message) => this.events.emit('data', message),
    });
    if (signal?.aborted) void this.close();
    else if (signal) {
      const close = () => void this.close();
      signal.addEventListener('abort', close);
      this.#stopSignal = () => signal.removeEventListener('abort', close);
    }
  }

  get status(): ClientStatus {
    return this.#status;
  }

  get pending(): number {
    return this.bridge.peek(this.#counted.pending, (native) => native.pending());
  }

  get syncStatus(): SyncStatus {
    return syncStatusOf(this.#count(), this.#status);
  }

  /** Throws what every call fails with from now on, if it does. */
  check(): void {
    const { failure } = this.bridge;
    if (failure) throw failure;
  }

  /** Loads the module and waits for what this device has of the room. */
  async open(wait: WaitOptions): Promise<void> {
    this.check();
    this.#watchPage();
    const what = `room '${this.#room}' was not opened`;
    await waitFor<void>(wait, what, (resolve, reject) => {
      this.bridge.open().catch(reject);
      return this.#openings.add({ resolve, reject });
    });
  }

  /** Dials and waits for the room's state. */
  async connect(wait: WaitOptions): Promise<void> {
    this.check();
    const what = `the state of room '${this.#room}' did not arrive`;
    await waitFor<void>(wait, what, (resolve, reject) => this.#awaitArrival({ resolve, reject }), () => this.#lastFailure);
  }

  /** Hands an envelope to the module and waits until it is safe. */
  async send(message: unknown, options: SendOptions): Promise<Ack> {
    checkObject('options', options);
    const until = checkUntil(options.until);
    if (typeof message !== 'object' || message === null) throw invalid(`the message must be an object, not ${shown(message)}`);
    this.check();
    const copy = plain<{ id?: unknown }>('message', message, { around: 2, texts: LONG_TEXTS });
    return waitFor<Ack>(options, 'the operation was not acknowledged', (resolve, reject) => {
      this.#sentIds.check(copy.id);
      const { id, seq } = this.bridge.call('sending', (native) => native.send(copy));
      this.#sentIds.add(copy.id);
      const own = this.bridge.peek('', (native) => native.peerId());
      // It has been applied: that is all there will be for what is never stored, or where nothing is kept.
      if (seq === undefined || (until === 'local' && this.#count().mode === 'memory')) resolve({ id, durability: 'none', by: own });
      // It has changed nothing, and no operation comes before it: nothing will be acknowledged, and nothing can be lost.
      else if (seq === 0) resolve({ id, durability: until, by: until === 'local' ? own : (this.#backend ?? own) });
      return seq ? this.#acks.add(seq, id, { until, resolve, reject }) : () => {};
    });
  }

  stats(): ClientStats {
    this.check();
    const native = this.bridge.peek<Record<string, unknown>>({}, (client) => client.stats());
    return { ...native, dataBuffered: this.#data.buffered, dataDropped: this.#data.dropped };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#unhook();
    const closed = new PeersyncError('CLOSED', 'the client was closed');
    // Not the acks: some may still come while the native side sends what is unsent.
    this.#openings.fail(closed);
    this.#arrivals.fail(closed);
    await this.bridge.close();
    this.#setStatus('closed');
    this.#acks.fail(closed);
    this.events.fail(closed);
  }

  #awaitArrival(arrival: Arrival): () => void {
    this.#watchPage();
    if (!this.bridge.started) this.#setStatus('connecting');
    this.bridge.start().catch((error: PeersyncError) => {
      if (!this.#closing) this.#setStatus('disconnected');
      arrival.reject(error);
    });
    return this.#arrivals.add(arrival);
  }

  #watchPage(): void {
    this.#stopPage ??= onPage({
      wake: () => this.#tell((native) => native.wake()),
      leave: (mayReturn) => this.#tell((native) => native.pagehide(mayReturn)),
    });
  }

  #opened(): void {
    const restored = this.bridge.peek(false, (native) => native.arrived());
    this.texts.opened(restoredText);
    this.maps.opened(restoredMap);
    this.lists.opened(restoredList);
    this.records.opened(restoredRecords);
    try {
      this.presence.opened();
    } catch (error) {
      this.#report(error as PeersyncError);
    }
    this.#tellSync();
    this.events.emit('opened', { restored });
    this.#openings.arrived();
    if (restored) this.#arrivals.arrived();
  }

  /** Tells the module what happens to the page. */
  #tell(what: (native: NativeClient) => void): void {
    try {
      this.bridge.peek(undefined, what);
    } catch (error) {
      if (error instanceof PeersyncError) this.#report(error);
    }
  }

  #handle(event: NativeEvent): void {
    trace('sdk', event);
    switch (event.type) {
      case 'status':
        return this.#setStatus(event.status);
      case 'connected':
        this.#backend = event.peerId;
        return this.events.emit('connected', { peerId: event.peerId });
      case 'backend_changed':
        // Traced above: the address pins nobody, so that this is as good a backend as the last one.
        return;
      case 'disconnected':
        this.#lastFailure = new PeersyncError('CONNECTION_FAILED', event.reason);
        return this.events.emit('disconnected', { reason: event.reason });
      case 'reconnecting':
        return this.events.emit('reconnecting', { attempt: event.attempt, delayMs: event.delayMs });
      case 'synced':
        return this.#setSynced(event.synced);
      case 'pending':
        this.events.emit('pending', event.pending);
        return this.#tellSync();
      case 'saved':
        return this.#tellSync();
      case 'stored':
        return this.#ack({ seq: event.seq, durability: 'local', by: this.bridge.peek('', (native) => native.peerId()) });
      case 'storage':
        return this.#setStorage(event);
      case 'data':
        return this.#deliver(event.envelope as SyncMessage);
      case 'ack':
        return this.#ack(event);
      case 'refused': {
        const error = new PeersyncError(toCode(event.code, 'REFUSED'), event.message);
        return this.#acks.refuse(event.seq, error) ? undefined : this.#report(error);
      }
      case 'peer_join':
      case 'peer_leave':
        return this.events.emit(event.type, { peerId: event.peerId, author: event.author });
      case 'history':
        return this.events.emit('history', { canUndo: event.canUndo, canRedo: event.canRedo });
      case 'error':
        return this.#fail(new PeersyncError(toCode(event.code, 'INTERNAL'), event.message));
      default:
        return this.#change(event);
    }
  }

  #change(event: Extract<NativeEvent, { type: 'text' | 'map' | 'list' | 'records' | 'presence' }>): void {
    // Whoever hears of it reads it, which fails from now on.
    if (this.#closing) return;
    if (event.type === 'presence') {
      const { peerId, state } = event;
      this.presence.deliver({ peerId, state });
      return this.events.emit('presence', { peerId, state });
    }
    const { origin, author, id } = event;
    switch (event.type) {
      case 'text':
        return this.texts.deliver(event.doc, { delta: event.delta, origin, author, id });
      case 'map':
        return this.maps.deliver(event.map, { changes: event.changes, origin, author, id });
      case 'list':
        return this.lists.deliver(event.list, { delta: event.delta, origin, author, id });
      case 'records':
        return this.records.deliver(event.collection, { changes: event.changes, origin, author, id });
    }
  }

  #ack({ seq, durability, by }: Omit<AckEvent, 'ids'>): void {
    this.events.emit('ack', { seq, ids: this.#acks.ack({ seq, durability, by }), durability, by });
  }

  #setStorage({ mode, reason }: StorageChange): void {
    // Before whoever hears of it asks.
    const own = this.bridge.peek('', (native) => native.peerId());
    if (mode === 'memory') this.#acks.keepNothing(own);
    this.events.emit('storage', reason === undefined ? { mode } : { mode, reason });
    this.#tellSync();
  }

  /** As the module counts now, or did last. */
  #count(): NativeSyncStatus {
    return this.bridge.peek(this.#counted, (native) => native.syncStatus());
  }

  #tellSync(): void {
    this.#counted = this.#count();
    const status = syncStatusOf(this.#counted, this.#status);
    if (this.#told.isNews(status)) this.events.emit('syncStatus', status);
  }

  #deliver(message: SyncMessage): void {
    this.#data.push(message);
    if (message.type === 'operation') this.events.emit('operation', message as OperationMessage);
  }

  #setStatus(status: ClientStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.events.emit('status', status);
    this.#tellSync();
  }

  #setSynced(synced: boolean): void {
    if (synced) this.#arrivals.arrived();
    this.events.emit('synced', synced);
  }

  #fail(error: PeersyncError): void {
    this.#lastFailure = error;
    const awaited = FATAL.has(error.code) && this.#arrivals.fail(error);
    // Whoever awaits `connect()` hears of it there.
    if (!awaited || this.events.has('error')) this.#report(error);
  }

  #report(error: PeersyncError): void {
    if (this.events.has('error')) this.events.emit('error', error);
    else console.warn('peersync:', error);
  }

  #die(failure: PeersyncError): void {
    this.#unhook();
    this.#setStatus('closed');
    this.#openings.fail(failure);
    this.#arrivals.fail(failure);
    this.#acks.fail(failure);
    this.#report(failure);
    this.events.fail(failure);
  }

  #unhook(): void {
    this.#stopPage?.();
    this.#stopPage = undefined;
    this.#stopSignal();
  }
}
