/** Marks for who wrote what. */

import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, type ViewUpdate } from '@codemirror/view';
import { type Binding, type Part, partOf } from './codemirror-binding.js';
import { Directory } from './codemirror-people.js';
import { linkOf } from './codemirror-sync.js';

/** After a change, until the marks are made anew; meanwhile they move with the text. */
const REFRESH_MS = 200;

/** Someone who wrote a part of the text. */
export interface Writer {
  /** Persistent identity, as in text events. */
  author: string;
  /** From presence; for text only, never for markup. */
  name: string;
  /** `#rrggbb`. */
  color: string;
  /** UTF-16 code units of the text. */
  length: number;
  /** Whether this is the user of this client. */
  self: boolean;
}

interface Shown {
  on: boolean;
  writers: readonly Writer[];
  marks: DecorationSet;
}

const NONE: Shown = { on: false, writers: [], marks: Decoration.none };

/** Turns the marks on or off. */
export const setShown = StateEffect.define<boolean>();
const setMarks = StateEffect.define<Omit<Shown, 'on'>>();

/** Whether marks are shown, and for whom. */
export const shown = StateField.define<Shown>({
  create: () => NONE,
  update(value, { changes, docChanged, effects }) {
    let next = value;
    if (docChanged && next.on) next = { ...next, marks: next.marks.map(changes) };
    for (const effect of effects) {
      if (effect.is(setShown) && effect.value !== next.on) next = { ...NONE, on: effect.value };
      if (effect.is(setMarks) && next.on) next = { ...effect.value, on: true };
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field, ({ marks }) => marks),
});

class Authors implements Part {
  readonly #view: EditorView;
  readonly #binding: Binding;
  readonly #directory: Directory;
  readonly #stop: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(view: EditorView, given: Binding) {
    this.#view = view;
    this.#binding = given;
    this.#directory = new Directory(given.client);
    // Also while nothing is shown: names of those who leave are to be known later.
    this.#stop = given.client?.presence.observe(() => {
      this.#directory.refresh();
      this.#later(REFRESH_MS);
    }) ?? (() => {});
    this.#later(0);
  }

  update({ startState, state, docChanged }: ViewUpdate): void {
    if (state.field(shown).on && !startState.field(shown).on) this.#later(0);
    else if (docChanged) this.#later(REFRESH_MS);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#stop();
  }

  #later(delayMs: number): void {
    if (delayMs === 0) clearTimeout(this.#timer);
    else if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#view.state.field(shown).on) this.#mark();
    }, delayMs);
  }

  #mark(): void {
    const { state, composing } = this.#view;
    const runs = this.#runs();
    if (!runs) return;
    const sum = runs.reduce((length, run) => length + run.length, 0);
    const behind = linkOf(this.#view)?.holds === true || sum !== state.doc.length;
    // A mark that begins or ends in the text of a composition would end it.
    if (behind || composing) {
      this.#later(REFRESH_MS);
      return;
    }
    this.#directory.refresh();
    const writers = new Map<string, Writer & { mark: Decoration }>();
    const ranges = [];
    let at = 0;
    for (const { length, author } of runs) {
      const writer = writers.get(author) ?? this.#writer(author);
      writers.set(author, writer);
      writer.length += length;
      if (length > 0) ranges.push(writer.mark.range(at, at + length));
      at += length;
    }
    const listed = [...writers.values()].map(({ mark: _, ...writer }) => writer).sort((a, b) => b.length - a.length);
    const known = state.field(shown);
    const marks = Decoration.set(ranges);
    if (JSON.stringify(known.writers) === JSON.stringify(listed) && sameMarks(known.marks, marks)) return;
    this.#view.dispatch({ effects: setMarks.of({ writers: listed, marks }) });
  }

  /** `undefined` once the text cannot be read any more. */
  #runs(): { length: number; author: string }[] | undefined {
    try {
      return this.#binding.text.authors();
    } catch {
      return undefined;
    }
  }

  #writer(author: string): Writer & { mark: Decoration } {
    const { name, color } = this.#directory.person(author);
    const mark = Decoration.mark({
      class: 'cm-peersync-author',
      attributes: { title: `Written by ${name}`, style: `--peersync-color: ${color}` },
    });
    return { author, name, color, length: 0, self: this.#directory.isSelf(author), mark };
  }
}

function sameMarks(one: DecorationSet, other: DecorationSet): boolean {
  const cursor = other.iter();
  for (const left = one.iter(); left.value; left.next(), cursor.next()) {
    const right = cursor.value;
    if (!right || left.from !== cursor.from || left.to !== cursor.to) return false;
    if (left.value.spec.attributes?.title !== right.spec.attributes?.title) return false;
    if (left.value.spec.attributes?.style !== right.spec.attributes?.style) return false;
  }
  return cursor.value === null;
}

const plugin = partOf((view, given) => new Authors(view, given));

const theme = EditorView.baseTheme({
  '.cm-peersync-author': {
    backgroundColor: 'color-mix(in srgb, var(--peersync-color) 16%, transparent)',
    boxShadow: 'inset 0 -2px var(--peersync-color)',
  },
});

/** The marks, off at first. */
export const authors = [shown, plugin, theme];
