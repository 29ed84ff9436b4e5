/** The part of the binding that keeps document and text equal. `codemirror-link.ts` decides; this asks and dispatches. */

import { Annotation, EditorSelection, EditorState, StateEffect, StateField, Transaction } from '@codemirror/state';
import type { ChangeSet, TransactionSpec } from '@codemirror/state';
import type { Command, EditorView, ViewUpdate } from '@codemirror/view';
import { binding, type Binding, type BoundClient, type Part, partOf } from './codemirror-binding.js';
import { TextLink } from './codemirror-link.js';

/** After the last change, until document and text are compared as a whole. */
const COMPARE_AFTER_MS = 1_000;
/** A change in the line that an input method composes in waits so long at most. */
const MAX_HELD_MS = 10_000;
/** Between two looks at whether the input method is done. */
const HELD_LOOK_MS = 50;

/** On transactions that come from the text. */
const fromText = Annotation.define<TextLink>();
const setLocked = StateEffect.define<boolean>();

const locked = StateField.define<boolean>({
  create: (state) => isLocked(state.facet(binding)),
  update: (value, { effects }) => effects.find((effect) => effect.is(setLocked))?.value ?? value,
  // No value while unlocked: another extension may have one.
  provide: (field) => EditorState.readOnly.computeN([field], (state) => (state.field(field) ? [true] : [])),
});

function isLocked(given: Binding | undefined): boolean {
  const client = given?.client;
  if (!client) return false;
  // No edit is possible before the module is loaded, nor after the end.
  if (client.peerId === undefined || client.status === 'closed') return true;
  return given.offline === 'read-only' && client.status !== 'connected';
}

class TextSync implements Part {
  readonly link: TextLink;
  readonly #view: EditorView;
  readonly #binding: Binding;
  readonly #stops: (() => void)[];
  #queued = false;
  #gone = false;
  /** Set by a command of this editor: the caret goes where the change is. */
  #goes: 'undo' | 'redo' | undefined;
  #heldSince: number | undefined;
  #compare: ReturnType<typeof setTimeout> | undefined;

  constructor(view: EditorView, given: Binding) {
    this.#view = view;
    this.#binding = given;
    this.link = new TextLink(given.text);
    const { client, text } = given;
    const lock = () => this.#lock();
    this.#stops = [
      text.observe((event) => {
        if (this.link.heard(event)) this.#soon();
      }),
      ...(client ? (['opened', 'status', 'synced', 'connected', 'reconnecting'] as const).map((type) => client.on(type, lock)) : []),
    ];
    // Not now: an editor under construction cannot be changed.
    queueMicrotask(lock);
    this.#soon();
  }

  update({ transactions, docChanged }: ViewUpdate): void {
    if (!docChanged) return;
    for (const transaction of transactions) {
      if (transaction.docChanged && transaction.annotation(fromText) !== this.link) this.#push(transaction);
    }
    clearTimeout(this.#compare);
    this.#compare = setTimeout(() => this.#pull(), COMPARE_AFTER_MS);
  }

  /** Runs `undo()` or `redo()`; the text's event brings the change. */
  step(which: 'undo' | 'redo', client: BoundClient): void {
    try {
      if (client[which]()) this.#goes = which;
    } catch (error) {
      this.#tell(error);
    }
  }

  destroy(): void {
    this.#gone = true;
    clearTimeout(this.#compare);
    for (const stop of this.#stops) stop();
  }

  #push({ changes, startState }: Transaction): void {
    try {
      if (!this.link.push(changes, startState.doc)) this.#soon();
    } catch (error) {
      this.#tell(error);
      this.#soon();
    }
  }

  /** From a microtask: events of one task become one transaction, and no update of the view is in progress. */
  #soon(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => this.#pull());
  }

  #pull(): void {
    this.#queued = false;
    if (this.#gone) return;
    let pulled;
    try {
      pulled = this.link.pull(this.#view.state.doc, (changes) => this.#mustWait(changes));
    } catch {
      // Closed or crashed: there is nothing to show any more than what is shown.
      return;
    }
    if (this.link.holds) {
      this.#heldSince ??= Date.now();
      setTimeout(() => this.#pull(), HELD_LOOK_MS);
      return;
    }
    this.#heldSince = undefined;
    if (pulled) this.#view.dispatch(this.#transaction(pulled.changes, pulled.local));
  }

  #transaction(changes: ChangeSet, local: boolean): TransactionSpec {
    const annotations = [fromText.of(this.link), Transaction.addToHistory.of(false)];
    const went = local ? this.#goes : undefined;
    // Filters are for what is typed: the text has this change already.
    const spec = { changes, annotations, filter: false };
    if (!went) return { ...spec, annotations: [...annotations, Transaction.remote.of(!local)] };
    this.#goes = undefined;
    let end = 0;
    changes.iterChanges((_fromA, _toA, _fromB, toB) => (end = toB));
    return { ...spec, selection: EditorSelection.cursor(end), scrollIntoView: true, userEvent: went };
  }

  /** CodeMirror can change every line around a composition, but not the one it is in. */
  #mustWait(changes: ChangeSet): boolean {
    const { state, composing } = this.#view;
    if (!composing || Date.now() - (this.#heldSince ?? Infinity) > MAX_HELD_MS) return false;
    const { from, to } = state.doc.lineAt(state.selection.main.head);
    return changes.touchesRange(from, to) !== false;
  }

  #lock(): void {
    const now = isLocked(this.#binding);
    if (!this.#gone && this.#view.state.field(locked) !== now) this.#view.dispatch({ effects: setLocked.of(now) });
  }

  #tell(error: unknown): void {
    // Later: whoever hears it may want to change the editor.
    queueMicrotask(() => this.#binding.onError(error));
  }
}

const textSync = partOf((view, given) => new TextSync(view, given));

/** What keeps the view's document and its text equal; `undefined` without a binding. */
export const linkOf = (view: EditorView): TextLink | undefined => view.plugin(textSync)?.part?.link;

/** Undo or redo by the client of the editor's binding. `false`: there is nothing to take back, or no client. */
export function historyStep(which: 'undo' | 'redo'): Command {
  return (view) => {
    const client = view.state.facet(binding)?.client;
    const possible = client && !view.state.readOnly && (which === 'undo' ? client.canUndo : client.canRedo);
    if (!possible) return false;
    view.plugin(textSync)?.part?.step(which, client);
    return true;
  };
}

/** Document and text, and the lock. */
export const syncing = [locked, textSync];
