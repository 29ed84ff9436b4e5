/** What a client shares with its room: documents, messages, presence, and undo. */

import { checkName, checkObject, invalid } from './internal/check.js';
import type { Session } from './internal/session.js';
import { SharedList } from './list.js';
import { SharedMap } from './map.js';
import type { OutgoingMessage } from './messages.js';
import type { SendOptions } from './options.js';
import { Presence } from './presence.js';
import { SharedRecords } from './records.js';
import { SharedText } from './text.js';
import type { Ack, JsonValue, RoomContent, RecordsOptions } from './types.js';

/**
 * The part of {@link BrowserSyncClient} that is about the room's content.
 *
 * Texts, maps and lists share one namespace: a name that is used as two of them is refused with `TYPE_MISMATCH`.
 * Collections of records are a namespace of their own.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * await client.connect();
 * client.text('notes').insert(0, 'Sun and rain');
 * client.map('settings').set('paper', 'lined');
 * client.records('shapes').set('sun', { kind: 'circle', x: 10, y: 20 });
 * client.undo();
 * ```
 */
export abstract class RoomClient {
  /** What this client and the others tell about themselves at the moment. May be used before `connect()`. */
  readonly presence: Presence;
  readonly #session: Session;

  /** @internal */
  constructor(session: Session) {
    this.#session = session;
    this.presence = new Presence(session.presence);
  }

  /**
   * The text of this name; the same object for the same name. May be called before `connect()`. Throws
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
    return this.#session.texts.get(this.#checkName(name), (document) => new SharedText(document));
  }

  /**
   * The map of this name; the same object for the same name. May be called before `connect()`. Throws
   * `INVALID_ARGUMENT` or `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.map('settings').set('theme', 'dark');
   * ```
   */
  map(name: string): SharedMap {
    return this.#session.maps.get(this.#checkName(name), (document) => new SharedMap(document));
  }

  /**
   * The list of this name; the same object for the same name. May be called before `connect()`. Throws
   * `INVALID_ARGUMENT` or `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.list('jobs').push('water the tomatoes');
   * ```
   */
  list(name: string): SharedList {
    return this.#session.lists.get(this.#checkName(name), (document) => new SharedList(document));
  }

  /**
   * The collection of records of this name; the same object for the same name. May be called before `connect()`. `T` is
   * what the application keeps in it, and is not checked. Throws `INVALID_ARGUMENT` (also if the collection was asked
   * for with another `deletePolicy`) or `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const cards = client.records<{ title: string }>('cards', { deletePolicy: 'update-wins' });
   * cards.set('card-1', { title: 'Dig' });
   * ```
   */
  records<T extends object = Record<string, JsonValue>>(name: string, options: RecordsOptions = {}): SharedRecords<T> {
    checkObject('options', options);
    const { deletePolicy } = options;
    if (deletePolicy !== undefined && deletePolicy !== 'delete-wins' && deletePolicy !== 'update-wins') {
      throw invalid("deletePolicy must be 'delete-wins' or 'update-wins'");
    }
    const records = this.#session.records.get(this.#checkName(name), (document) => new SharedRecords(document, deletePolicy));
    if (deletePolicy !== undefined && records.deletePolicy !== deletePolicy) {
      throw invalid(`deletePolicy of '${name}' is '${records.deletePolicy}' already`);
    }
    return records as unknown as SharedRecords<T>;
  }

  /**
   * Sends an operation of `/sync/1.0.0` and resolves when it is as safe as `until` says. It applies at once to this
   * client's own documents. While offline it waits, over any number of reconnections, and is sent after reconnecting. After
   * a reload the promise is gone, but what this device has stored is sent all the same. An `UPDATE` of `cursor_position` is
   * presence: it is never stored, and resolves at once. What changes nothing resolves once everything before it is as safe.
   *
   * A message is not for sending again: it applies when `send` is called, also if the promise then rejects with
   * `TIMEOUT` or `ABORTED`. An `id` that one of the last 1,024 messages with an `id` had is refused.
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
    return this.#session.send(message, options);
  }

  /**
   * Takes back this client's last step: its edits to texts, maps, lists and records, up to a pause of half a second.
   * What others did in the meantime stays. Throws `NOT_CONNECTED`, `ROOM_FULL`, `CLOSED`.
   *
   * @returns whether there was a step to take back.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.text('notes').insert(0, 'Oops');
   * console.assert(client.undo());
   * console.assert(client.text('notes').toString() === '');
   * ```
   */
  undo(): boolean {
    return this.#session.bridge.call('undoing', (native) => native.undo());
  }

  /**
   * Does again what `undo` took back last. An edit in between forgets it. Throws as `undo` does.
   *
   * @returns whether there was a step to do again.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.text('notes').insert(0, 'Well');
   * client.undo();
   * console.assert(client.redo());
   * ```
   */
  redo(): boolean {
    return this.#session.bridge.call('redoing', (native) => native.redo());
  }

  /**
   * Whether `undo` has something to take back; the `history` event tells when it changes.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * client.on('history', ({ canUndo, canRedo }) => console.log(canUndo, canRedo));
   * await client.connect();
   * console.assert(!client.canUndo);
   * ```
   */
  get canUndo(): boolean {
    return this.#session.bridge.peek(false, (native) => native.canUndo());
  }

  /**
   * Whether `redo` has something to do again.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * if (client.canRedo) client.redo();
   * ```
   */
  get canRedo(): boolean {
    return this.#session.bridge.peek(false, (native) => native.canRedo());
  }

  /**
   * Ends the present step of `undo`, without waiting for a pause: the next edit begins a new one. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.text('notes').insert(0, 'one');
   * client.checkpoint();
   * client.text('notes').insert(3, ' two');
   * client.undo();
   * console.assert(client.text('notes').toString() === 'one');
   * ```
   */
  checkpoint(): void {
    this.#session.check();
    this.#session.bridge.peek(undefined, (native) => native.checkpoint());
  }

  /**
   * The room's whole content, as copies: texts, maps, lists and records by name. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * const backup = JSON.stringify(client, null, 2);
   * console.log(backup);
   * ```
   */
  toJSON(): RoomContent {
    this.#session.check();
    const empty: RoomContent = { texts: {}, maps: {}, lists: {}, records: {} };
    return this.#session.bridge.peek(empty, (native) => native.content());
  }

  #checkName(name: unknown): string {
    this.#session.check();
    return checkName('name', name);
  }
}
