/** Shapes that cross the public API: values, changes, peers. Messages are in `messages.ts`. */

/** JSON that survives a round trip. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Formatting of a range of text: any JSON by name. `null` removes the name. */
export type TextAttributes = Record<string, JsonValue>;

/**
 * One step of a text delta. Exactly one of `retain`, `insert` and `delete` is set. Lengths are UTF-16 code units, as
 * in JavaScript strings.
 */
export interface DeltaOp {
  /** Leave this many code units (with `attributes`: format them). */
  retain?: number;
  /** Insert this text. */
  insert?: string;
  /** Delete this many code units. */
  delete?: number;
  /** Formatting of what is inserted or retained. */
  attributes?: TextAttributes;
}

/**
 * Where the client stands. `connecting`: dialing or joining the room; `disconnected`: not connected, a next try may
 * be scheduled; `closed`: for good.
 */
export type ClientStatus = 'connecting' | 'connected' | 'disconnected' | 'closed';

/**
 * How safe an operation is. `local`: this device has stored it, and sends it after a reload too; `peer`: a peer that
 * keeps rooms has it on disk; `backend`: the backend named by the client's URL has it on disk.
 */
export type Durability = 'local' | 'peer' | 'backend';

/** Where the room is kept on this device: in the browser's database, or nowhere but in the page. */
export type StorageMode = 'indexeddb' | 'memory';

/** Where this client's own edits are by now. */
export interface SyncStatus {
  /**
   * On this device. `stored`: all of them; `storing`: not all yet; `memory`: nothing is kept, because that was chosen or
   * because the browser's database is missing, full or failing.
   */
  local: 'stored' | 'storing' | 'memory';
  /** At the backend. `stored`: all are on its disk; `sending`: not yet; `offline`: not yet, and there is no connection. */
  backend: 'stored' | 'sending' | 'offline';
  /** For how long the oldest edit that the backend has not stored has been waiting; `null`: none waits. */
  oldestPendingMs: number | null;
}

/** Where the room is kept on this device has changed. */
export interface StorageChange {
  /** The new place. */
  mode: StorageMode;
  /** Why nothing is kept any more; the `error` event has a sentence. */
  reason?: 'STORAGE_FULL' | 'STORAGE_FAILED' | 'STORAGE_CORRUPT' | 'STORAGE_NEWER';
}

/** Someone else in the room. */
export interface Peer {
  /** Transport identity: one per tab or process. */
  peerId: string;
  /** Persistent identity of the user. */
  author: string;
}

/** Where a change comes from. */
export interface ChangeOrigin {
  /** `local`: by a call on this client. */
  origin: 'local' | 'remote';
  /** Who changed it. Empty when many did, as after the room was rebuilt without an operation. */
  author: string;
  /** Id of the operation. Empty when `author` is. */
  id: string;
}

/** Text changed, by this client or another. */
export interface TextEvent extends ChangeOrigin {
  /** What changed, in order from the start of the text. Lengths are UTF-16 code units. */
  delta: DeltaOp[];
}

/** A run of text that one author wrote. */
export interface TextRun {
  /** UTF-16 code units. */
  length: number;
  /** Who wrote it; empty if unknown. */
  author: string;
}

/** What happened to one key of a map. */
export type MapChange =
  | { key: string; action: 'set'; value: JsonValue }
  | { key: string; action: 'delete'; value?: undefined };

/** A map changed, by this client or another. */
export interface MapEvent extends ChangeOrigin {
  /** What changed; each key is there once. */
  changes: MapChange[];
}

/** One step of a list delta. Exactly one of `retain`, `insert` and `delete` is set. */
export interface ListDeltaOp {
  /** Leave this many items. */
  retain?: number;
  /** Insert these items. */
  insert?: JsonValue[];
  /** Delete this many items. */
  delete?: number;
}

/** A list changed, by this client or another. */
export interface ListEvent extends ChangeOrigin {
  /** What changed, in order from the start of the list. */
  delta: ListDeltaOp[];
}

/** A record as it is read: its fields and its id. */
export type RecordValue<T extends object = Record<string, JsonValue>> = T & { id: string };

/** Fields to set; one that is `undefined` is removed. An `id` may be among them if it is the record's own. */
export type RecordFields<T extends object = Record<string, JsonValue>> = { [K in keyof T]?: T[K] | undefined };

/** Where a record shall stand among the others of its collection. */
export type RecordPlace = { before: string | null } | { after: string } | { index: number };

/** What happened to one record. `before` is the id of the record that follows it then; `null`: it is the last. */
export type RecordChange<T extends object = Record<string, JsonValue>> =
  | { type: 'insert'; id: string; value: RecordValue<T>; before: string | null }
  | { type: 'update'; id: string; fields: Partial<T>; removed: string[] }
  | { type: 'move'; id: string; before: string | null }
  | { type: 'delete'; id: string };

/** Records changed, by this client or another. */
export interface RecordsEvent<T extends object = Record<string, JsonValue>> extends ChangeOrigin {
  /** Applied in order to the collection as it was, they give the collection as it is. */
  changes: RecordChange<T>[];
}

/** Options of {@link BrowserSyncClient.records}. */
export interface RecordsOptions {
  /**
   * Whether a deletion by this client wins over updates made at the same time by others (`'delete-wins'`), or one of
   * them brings the record back (`'update-wins'`).
   * @default 'delete-wins'
   */
  deletePolicy?: 'delete-wins' | 'update-wins';
}

/** What a peer tells about itself. The named fields are conventions; any other JSON may stand beside them. */
export interface PresenceState {
  /** What to call the user. */
  name?: JsonValue;
  /** The user's colour. */
  color?: JsonValue;
  /** Where the user points. */
  cursor?: JsonValue;
  /** What the user has selected. */
  selection?: JsonValue;
  /** What the user sees. */
  viewport?: JsonValue;
  /** What the user is dragging. While it is set, updates are sent more often. */
  drag?: JsonValue;
  [field: string]: JsonValue | undefined;
}

/** The presence of another peer changed. */
export interface PresenceEvent {
  /** Whose. */
  peerId: string;
  /** Its whole new state; `undefined`: it has none any more, or has left. */
  state: PresenceState | undefined;
}

/** What `undo` and `redo` have to work on. */
export interface HistoryEvent {
  /** Whether `undo()` would do something. */
  canUndo: boolean;
  /** Whether `redo()` would do something. */
  canRedo: boolean;
}

/** The content of a room, by document. */
export interface RoomContent {
  /** Texts without their formatting. */
  texts: Record<string, string>;
  /** Maps as objects. */
  maps: Record<string, Record<string, JsonValue>>;
  /** Lists as arrays. */
  lists: Record<string, JsonValue[]>;
  /** Collections of records, in order. */
  records: Record<string, RecordValue[]>;
}

/** An operation became as safe as `durability` says. Covers every earlier operation of this client too. */
export interface AckEvent {
  /** Sequence number of the operation, as edits return it. */
  seq: number;
  /** Ids of the messages sent with `send` that are this safe only now. Empty for other edits. */
  ids: string[];
  /** How safe it is. */
  durability: Durability;
  /** Peer id of who says so: this client's own for `local`. */
  by: string;
}

/** What `send` resolves with. */
export interface Ack {
  /** Id of the message. */
  id: string;
  /** How safe it is: at least what `until` asked for, or `none`: presence, which is never stored, or nothing keeps it here. */
  durability: Durability | 'none';
  /** Peer id of who has it: the backend's, or this client's own for `none`, `local` and for nothing before the first connection. */
  by: string;
}

/** How long a call waits. */
export interface WaitOptions {
  /** Ends the waiting with `ABORTED`. What was started is not undone. */
  signal?: AbortSignal;
  /** Milliseconds until the waiting ends with `TIMEOUT`. */
  timeoutMs?: number;
}
