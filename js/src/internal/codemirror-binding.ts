/** What one binding was given, as its parts find it in an editor's state. */

import { Facet } from '@codemirror/state';
import { type EditorView, type PluginValue, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Unsubscribe } from '../events.js';
import type { Peer, PresenceState, TextEvent } from '../types.js';
import type { LinkedText } from './codemirror-link.js';

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
  on(type: 'opened' | 'status' | 'synced' | 'connected' | 'reconnecting', listener: () => void): Unsubscribe;
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

/** A part of the binding in a view. Another binding in its place, as by a compartment, gets a new one. */
export interface Part extends PluginValue {
  update(update: ViewUpdate): void;
  destroy(): void;
}

/** A plugin that holds one part; `undefined` where `make` makes none. */
export function partOf<P extends Part>(make: (view: EditorView, given: Binding) => P | undefined): ViewPlugin<{ part: P | undefined }> {
  return ViewPlugin.define((view) => {
    const madeFor = (given: Binding | undefined) => given && make(view, given);
    let given = view.state.facet(binding);
    return {
      part: madeFor(given),
      update(update: ViewUpdate) {
        const now = update.state.facet(binding);
        if (now === given) {
          this.part?.update(update);
          return;
        }
        given = now;
        this.part?.destroy();
        this.part = madeFor(now);
      },
      destroy() {
        this.part?.destroy();
      },
    };
  });
}
