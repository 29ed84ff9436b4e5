/** What the WebAssembly module exposes, written by hand: `pkg/` is generated and its types are looser than these. */

import type {
  ChangeOrigin,
  ClientStatus,
  DeltaOp,
  Durability,
  JsonValue,
  ListDeltaOp,
  MapChange,
  Peer,
  PresenceState,
  RecordChange,
  RecordPlace,
  RecordValue,
  RoomContent,
  StorageChange,
  StorageMode,
  TextAttributes,
  TextRun,
} from '../types.js';
import type { Traced } from './debug.js';

/** Arguments of `NativeClient.open`; validated there too. */
export interface NativeOptions {
  url: string;
  room: string;
  clientId?: string;
  identity?: Uint8Array;
  token?: string;
  persistence: 'indexeddb' | 'memory';
  shareUplink: boolean;
  dbName: string;
}

/** Own operations by where they are not yet. */
export interface NativeSyncStatus {
  mode: StorageMode;
  /** Not in this device's store. */
  unsaved: number;
  /** Not at the backend. */
  pending: number;
  /** Age of the oldest of those. */
  oldestPendingMs: number | null;
}

/** What the native side tells. Delivered from a microtask, never inside a native call. */
export type NativeEvent =
  | { type: 'status'; status: ClientStatus }
  | { type: 'connected'; peerId: string }
  /** Another identity than last time answers at the backend's address. */
  | { type: 'backend_changed'; was: string; now: string }
  | { type: 'disconnected'; reason: string }
  | { type: 'reconnecting'; attempt: number; delayMs: number }
  | { type: 'synced'; synced: boolean }
  | { type: 'pending'; pending: number }
  | { type: 'saved'; unsaved: number }
  /** This device's store has every own operation up to `seq`. */
  | { type: 'stored'; seq: number }
  | ({ type: 'storage' } & StorageChange)
  | ({ type: 'text'; doc: string; delta: DeltaOp[] } & ChangeOrigin)
  | ({ type: 'map'; map: string; changes: MapChange[] } & ChangeOrigin)
  | ({ type: 'list'; list: string; delta: ListDeltaOp[] } & ChangeOrigin)
  | ({ type: 'records'; collection: string; changes: RecordChange[] } & ChangeOrigin)
  | { type: 'presence'; peerId: string; state: PresenceState | undefined }
  | { type: 'history'; canUndo: boolean; canRedo: boolean }
  | { type: 'data'; envelope: object }
  | { type: 'ack'; seq: number; durability: Durability; by: string }
  | { type: 'refused'; seq: number; code: string; message: string }
  | { type: 'peer_join' | 'peer_leave'; peerId: string; author: string }
  | { type: 'error'; code: string; message: string };

/** Texts. */
interface NativeTexts {
  textInsert(doc: string, index: number, text: string, attributes?: TextAttributes): number;
  textDelete(doc: string, index: number, length: number): number;
  textFormat(doc: string, index: number, length: number, attributes: TextAttributes): number;
  textReplace(doc: string, text: string): number;
  textMove(doc: string, from: number, to: number, length: number): number;
  textString(doc: string): string;
  textLength(doc: string): number;
  textDelta(doc: string): DeltaOp[];
  textCursor(doc: string, index: number, assoc: number): string;
  textIndex(doc: string, cursor: string): number | undefined;
  textAuthors(doc: string): TextRun[];
}

/** Maps and lists. */
interface NativeContainers {
  mapSet(map: string, key: string, value: JsonValue): number;
  mapDelete(map: string, key: string): number;
  mapGet(map: string, key: string): JsonValue | undefined;
  mapEntries(map: string): [string, JsonValue][];
  listInsert(list: string, index: number, values: JsonValue[]): number;
  listDelete(list: string, index: number, length: number): number;
  listGet(list: string, index: number): JsonValue | undefined;
  listValues(list: string): JsonValue[];
  listLength(list: string): number;
}

/** Records. */
interface NativeRecords {
  recordSet(collection: string, id: string, fields: object): number;
  recordDelete(collection: string, id: string, updateWins: boolean): number;
  recordMove(collection: string, id: string, place: RecordPlace): number;
  recordGet(collection: string, id: string): RecordValue | undefined;
  recordIds(collection: string): string[];
  recordValues(collection: string): RecordValue[];
}

/** One client of one room. Every method may throw `{code, message}`, or a bare `RuntimeError` after a trap. */
export interface NativeClient extends NativeTexts, NativeContainers, NativeRecords {
  connect(): void;
  wake(): void;
  /** Stores and sends what can be at once; with `persisted` false the page will not come back. */
  pagehide(persisted: boolean): void;
  close(): Promise<void>;
  free(): void;
  presenceSet(fields: object | null): void;
  presenceGet(): PresenceState;
  presenceOthers(): [string, PresenceState][];
  undo(): boolean;
  redo(): boolean;
  canUndo(): boolean;
  canRedo(): boolean;
  checkpoint(): void;
  content(): RoomContent;
  /** Without `seq`: nothing that is stored, so that nobody will acknowledge it. */
  send(envelope: object): { id: string; seq?: number };
  status(): ClientStatus;
  synced(): boolean;
  pending(): number;
  syncStatus(): NativeSyncStatus;
  /** Whether the room's state is here: the backend was heard, now or at an earlier visit that this device remembers. */
  arrived(): boolean;
  peers(): Peer[];
  stats(): Record<string, unknown>;
  peerId(): string;
  author(): string;
}

/** The loaded module. */
export interface NativeModule extends Traced {
  NativeClient: {
    /** Reads what this device has of the room; dials nothing. */
    open(options: NativeOptions, onEvent: (event: NativeEvent) => void): Promise<NativeClient>;
  };
  /** `callback` gets the panic message before the instance dies. */
  onTrap(callback: (message: string) => void): void;
}

/** `pkg/peersync.js` before `default` has been called. */
export interface NativeGlue extends NativeModule {
  default(input: { module_or_path: URL }): Promise<unknown>;
}
