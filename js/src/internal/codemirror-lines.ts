/** Carriage returns: the only line break is `\n`, so a `\r` is a character. It is not shown, and goes when its line is edited. */

import { EditorState, Transaction, type TransactionSpec } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, MatchDecorator, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import { LINE_BREAK } from './codemirror-changes.js';

const returns = new MatchDecorator({ regexp: /\r/g, decoration: Decoration.replace({}) });

const hidden = ViewPlugin.define(
  (view) => ({
    marks: returns.createDeco(view),
    update(update: ViewUpdate) {
      this.marks = returns.updateDeco(update, this.marks);
    },
  }),
  {
    decorations: ({ marks }) => marks,
    provide: (plugin) => EditorView.atomicRanges.of((view): DecorationSet => view.plugin(plugin)?.marks ?? Decoration.none),
  },
);

/** Leaves no `\r` in a line that is edited here. Not in others: to look at a text must not change it. */
const plainLines = EditorState.transactionFilter.of((transaction): TransactionSpec | readonly TransactionSpec[] => {
  if (!transaction.docChanged || transaction.annotation(Transaction.remote)) return transaction;
  const { newDoc } = transaction;
  const changes: { from: number; to: number }[] = [];
  let done = 0;
  transaction.changes.iterChanges((_fromA, _toA, fromB, toB) => {
    const from = Math.max(done, newDoc.lineAt(fromB).from);
    const { to } = newDoc.lineAt(toB);
    const touched = newDoc.sliceString(from, Math.max(from, to), LINE_BREAK);
    for (const { index } of touched.matchAll(/\r/g)) changes.push({ from: from + index, to: from + index + 1 });
    done = Math.max(done, to);
  });
  return changes.length > 0 ? [transaction, { changes, sequential: true }] : transaction;
});

/** Everything about line ends. */
export const lineEnds = [
  EditorState.lineSeparator.of(LINE_BREAK),
  EditorView.clipboardInputFilter.of((text) => text.replace(/\r\n?/g, LINE_BREAK)),
  plainLines,
  hidden,
];
