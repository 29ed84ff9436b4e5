/** `peersync/codemirror`: a CodeMirror 6 editor that shows a shared text, and who else is in it. */

import type { EditorState, Extension } from '@codemirror/state';
import { Prec } from '@codemirror/state';
import { type Command, Decoration, EditorView, keymap } from '@codemirror/view';
import { PeersyncError } from './errors.js';
import { authors, setShown, shown, type Writer } from './internal/codemirror-authors.js';
import { binding, type Binding, type BoundClient, type BoundText } from './internal/codemirror-binding.js';
import { lineEnds } from './internal/codemirror-lines.js';
import { presence } from './internal/codemirror-presence.js';
import { historyStep, syncing } from './internal/codemirror-sync.js';

export type { Writer } from './internal/codemirror-authors.js';
export type { BoundClient, BoundText } from './internal/codemirror-binding.js';

/** Options of {@link peersyncText}. */
export interface PeersyncTextOptions {
  /**
   * The client that the text is of. With it there are cursors of others, undo and redo of this tab's own edits, and the
   * editor takes no text before `open()` or `connect()` has loaded the module nor after `close()`. @default none: the text alone
   */
  client?: BoundClient;
  /** Whether the selection is published as presence, and those of others are shown. @default true */
  presence?: boolean;
  /**
   * The presence field for the selection: `{ doc, anchor, head }`, the last two stable cursors. Two editors of one client
   * that are to show both need two. @default 'selection'
   */
  field?: string;
  /** Published with the selection, as the presence fields `name` and `color` (`#rrggbb`). @default nothing */
  user?: { name?: string; color?: string };
  /** Whether undo and redo keys go to the client. Leave CodeMirror's own `history()` out. @default true */
  history?: boolean;
  /** Whether marks for who wrote what are shown from the start. @default false */
  authors?: boolean;
  /** What can be done while not connected. @default 'edit' */
  offline?: 'edit' | 'read-only';
  /** Gets what an edit throws; the editor then shows the text again. @default logs a warning */
  onError?: (error: unknown) => void;
}

/**
 * Binds an editor to a shared text. The text is what the editor shows, whatever document it was made with; edits go both
 * ways as they are made, and caret, selection and scroll stay where they are while others write. Positions of editor and
 * text are the same: `\n` is the only line break, pasted ones become it, and a `\r` from elsewhere is not shown.
 *
 * Throws `INVALID_ARGUMENT` if `text` or an option has the wrong type.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { peersyncText } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * new EditorView({
 *   parent: document.body,
 *   extensions: [
 *     EditorView.lineWrapping,
 *     peersyncText(client.text('notes'), { client, user: { name: 'Ada', color: '#0b6b62' } }),
 *   ],
 * });
 * await client.connect();
 * ```
 */
export function peersyncText(text: BoundText, options: PeersyncTextOptions = {}): Extension {
  const given = checked(text, options);
  const { client } = given;
  return [
    binding.of(given),
    lineEnds,
    syncing,
    authors,
    options.authors === true ? shown.init(() => shownAtFirst) : [],
    client && options.presence !== false ? presence : [],
    client && options.history !== false ? history : [],
  ];
}

/**
 * Takes back the last edits of this tab, in this text or another of the same client; `false` if there are none. Bound to
 * the usual keys unless `history: false`.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { peersyncText, undo } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * const view = new EditorView({ parent: document.body, extensions: peersyncText(client.text('notes'), { client }) });
 * await client.connect();
 * view.dispatch({ changes: { from: 0, insert: 'Not this' } });
 * console.assert(undo(view));
 * ```
 */
export function undo(view: EditorView): boolean {
  return historyStep('undo')(view);
}

/**
 * Makes again what was last taken back; `false` if there is nothing.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { peersyncText, redo, undo } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * const view = new EditorView({ parent: document.body, extensions: peersyncText(client.text('notes'), { client }) });
 * await client.connect();
 * view.dispatch({ changes: { from: 0, insert: 'This after all' } });
 * undo(view);
 * console.assert(redo(view));
 * ```
 */
export function redo(view: EditorView): boolean {
  return historyStep('redo')(view);
}

/**
 * Shows marks for who wrote what, or stops showing them.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { authorsShown, peersyncText, showAuthors } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * const view = new EditorView({ parent: document.body, extensions: peersyncText(client.text('notes'), { client }) });
 * showAuthors(view, true);
 * console.assert(authorsShown(view.state));
 * ```
 */
export function showAuthors(view: EditorView, show: boolean): void {
  view.dispatch({ effects: setShown.of(show) });
}

/**
 * Whether marks for who wrote what are shown.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { authorsShown, peersyncText } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * const view = new EditorView({ parent: document.body, extensions: peersyncText(client.text('notes'), { authors: true }) });
 * console.assert(authorsShown(view.state));
 * ```
 */
export function authorsShown(state: EditorState): boolean {
  return state.field(shown, false)?.on ?? false;
}

/**
 * Who wrote the text, most of it first, as the marks show it; empty while they are off.
 *
 * @example
 * ```ts
 * import { EditorView } from '@codemirror/view';
 * import { BrowserSyncClient } from 'peersync';
 * import { peersyncText, writers } from 'peersync/codemirror';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * const listing = EditorView.updateListener.of(({ state }) => {
 *   for (const { name, color, length } of writers(state)) console.log(name, color, length);
 * });
 * new EditorView({
 *   parent: document.body,
 *   extensions: [peersyncText(client.text('notes'), { client, authors: true }), listing],
 * });
 * await client.connect();
 * ```
 */
export function writers(state: EditorState): readonly Writer[] {
  return state.field(shown, false)?.writers ?? [];
}

const undoKey: Command = (view) => undo(view);
const redoKey: Command = (view) => redo(view);

/** Keys, and what menus and gestures of the system ask for. */
const history: Extension = [
  Prec.high(
    keymap.of([
      { key: 'Mod-z', run: undoKey, preventDefault: true },
      { key: 'Mod-y', mac: 'Mod-Shift-z', run: redoKey, preventDefault: true },
      { linux: 'Ctrl-Shift-z', run: redoKey, preventDefault: true },
    ]),
  ),
  EditorView.domEventHandlers({
    beforeinput(event, view) {
      const which = event.inputType === 'historyUndo' ? undo : event.inputType === 'historyRedo' ? redo : undefined;
      if (!which) return false;
      event.preventDefault();
      return which(view);
    },
  }),
];

const shownAtFirst = { on: true, writers: [], marks: Decoration.none };

function checked(text: BoundText, options: PeersyncTextOptions): Binding {
  const { client, field = 'selection', user, offline = 'edit', onError = warn } = options;
  if (typeof text?.observe !== 'function') throw invalid("text must be one of client.text(name)");
  if (client !== undefined && typeof client.on !== 'function') throw invalid('client must be a client');
  if (typeof field !== 'string' || field === '') throw invalid('field must be a non-empty string');
  if (offline !== 'edit' && offline !== 'read-only') throw invalid("offline must be 'edit' or 'read-only'");
  if (typeof onError !== 'function') throw invalid('onError must be a function');
  return { text, client, field, user: user && { ...user }, offline, onError };
}

function warn(error: unknown): void {
  console.warn('peersync:', error);
}

function invalid(message: string): PeersyncError {
  return new PeersyncError('INVALID_ARGUMENT', message);
}
