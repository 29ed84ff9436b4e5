/** What one binding was given, as its parts find it in an editor's state. */

import { Facet } from '@codemirror/state';
import type { Unsubscribe } from '../events.js';
import type { JsonValue, Peer, TextEvent } from '../types.js';
import type { LinkedText } from './codemirror-link.js';

/** State of a peer that others see. Whoever sends it may send anything. */
export type PresenceState = Record<string, JsonValue>;

/** What the binding needs of `client.text(name)`. */
export interface BoundText extends LinkedText {
  readonly name: string;
  observe(listener: (event: TextEvent) => void): Unsubscribe;
  cursor(index: number, assoc?: -1 | 1): string;
  index(cursor: string): number | undefined;
  authors(): { length: number; author: string }[];
}

/** What the binding needs of a client. */
export interface BoundClient {
  readonly status: string;
  readonly peerId: string | undefined;
  readonly author: string | undefined;
  readonly peers: Peer[];
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly presence: {
    set(fields: PresenceState): void;
    get(): PresenceState;
    others(): Map<string, PresenceState>;
    observe(listener: () => void): Unsubscribe;
  };
  undo(): boolean;
  redo(): boolean;
  on(type: 'status' | 'synced' | 'connected' | 'reconnecting', listener: () => void): Unsubscribe;
}

/** The checked options, with defaults filled in. */
export interface Binding {
  readonly text: BoundText;
  readonly client: BoundClient | undefined;
  readonly field: string;
  readonly user: PresenceState | undefined;
  readonly offline: 'edit' | 'read-only';
  readonly onError: (error: unknown) => void;
}

/** The binding of an editor; one each. */
export const binding = Facet.define<Binding, Binding | undefined>({ combine: (given) => given[0] });
