/** What the WebAssembly module exposes, written by hand: `pkg/` is generated and its types are looser than these. */

import type { ClientStatus, DeltaOp, Durability, Peer, TextAttributes } from '../types.js';

/** Arguments of the native constructor; validated there too. */
export interface NativeOptions {
  url: string;
  room: string;
  clientId?: string;
  identity?: Uint8Array;
  token?: string;
  debug?: string;
}

/** What the native side tells. Delivered from a microtask, never inside a native call. */
export type NativeEvent =
  | { type: 'status'; status: ClientStatus }
  | { type: 'connected'; peerId: string }
  | { type: 'disconnected'; reason: string }
  | { type: 'reconnecting'; attempt: number; delayMs: number }
  | { type: 'synced'; synced: boolean }
  | { type: 'pending'; pending: number }
  | { type: 'text'; doc: string; delta: DeltaOp[]; origin: 'local' | 'remote'; author: string; id: string }
  | { type: 'data'; envelope: object }
  | { type: 'ack'; seq: number; durability: Durability; by: string }
  | { type: 'refused'; seq: number; code: string; message: string }
  | { type: 'peer_join' | 'peer_leave'; peerId: string; author: string }
  | { type: 'error'; code: string; message: string };

/** One client of one room. Every method may throw `{code, message}`, or a bare `RuntimeError` after a trap. */
export interface NativeClient {
  connect(): void;
  wake(): void;
  close(): Promise<void>;
  free(): void;
  textInsert(doc: string, index: number, text: string, attributes?: TextAttributes): number;
  textDelete(doc: string, index: number, length: number): number;
  textFormat(doc: string, index: number, length: number, attributes: TextAttributes): number;
  textReplace(doc: string, text: string): number;
  textString(doc: string): string;
  textLength(doc: string): number;
  textDelta(doc: string): DeltaOp[];
  send(envelope: object): { id: string; seq: number };
  status(): ClientStatus;
  synced(): boolean;
  pending(): number;
  peers(): Peer[];
  stats(): Record<string, unknown>;
  peerId(): string;
  author(): string;
}

/** The loaded module. */
export interface NativeModule {
  NativeClient: new (options: NativeOptions, onEvent: (event: NativeEvent) => void) => NativeClient;
  /** `callback` gets the panic message before the instance dies. */
  onTrap(callback: (message: string) => void): void;
}

/** `pkg/peersync.js` before `default` has been called. */
export interface NativeGlue extends NativeModule {
  default(input: { module_or_path: URL }): Promise<unknown>;
}
