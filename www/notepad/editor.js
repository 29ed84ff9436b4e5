// The editor: CodeMirror for plain text, bound to the room's text.
import { standardKeymap } from '@codemirror/commands';
import { Compartment } from '@codemirror/state';
import { dropCursor, EditorView, keymap, placeholder } from '@codemirror/view';
import { peersyncText } from 'peersync/codemirror';

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', fontSize: '1.0625rem' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--sans)', lineHeight: '1.65' },
  '.cm-content': { padding: 'clamp(1.4rem, 3.5vw, 2rem) 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 clamp(1rem, 3.5vw, 2rem)' },
  '.cm-line::selection, .cm-line ::selection': { backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent)' },
  '.cm-placeholder': { color: 'var(--soft)' },
});

/** An editor in `parent` that takes no text before `allow(true)`. `onChange` hears of every change of what is shown. */
export function openEditor(parent, client, { user, onChange, onError }) {
  const state = new Compartment();
  const may = (edit, hint) => [EditorView.editable.of(edit), placeholder(hint)];
  const view = new EditorView({
    parent,
    extensions: [
      peersyncText(client.text('document'), { client, user, onError }),
      keymap.of(standardKeymap),
      EditorView.lineWrapping,
      dropCursor(),
      look,
      EditorView.contentAttributes.of({
        'aria-label': 'Shared text',
        spellcheck: 'true',
        autocorrect: 'on',
        autocapitalize: 'sentences',
      }),
      EditorView.updateListener.of(onChange),
      state.of(may(false, 'Connecting…')),
    ],
  });
  return { view, allow: (edit, hint) => view.dispatch({ effects: state.reconfigure(may(edit, hint)) }) };
}
