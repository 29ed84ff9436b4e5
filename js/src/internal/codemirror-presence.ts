/** Cursors and selections of others, drawn over and under the text: the text's own elements stay as they are. */

import { EditorSelection, StateEffect } from '@codemirror/state';
import { EditorView, type LayerMarker, RectangleMarker, type ViewUpdate, layer } from '@codemirror/view';
import { type Binding, type BoundClient, type Part, partOf } from './codemirror-binding.js';
import { type ClaimedSelection, inkOn, type Person, statesOf, toPerson, toSelection } from './codemirror-people.js';
import { linkOf } from './codemirror-sync.js';

/** Cursors drawn. More people than that: those whose peer ids come first. */
const MAX_SHOWN = 50;
/** Above a caret so near to the top there is no room for a name. */
const NAME_HEIGHT_PX = 20;

/** Someone's selection, in positions of this document. */
interface Remote {
  peerId: string;
  person: Person;
  anchor: number;
  head: number;
  /** Counts what its owner did, so that the name shows again. */
  moves: number;
  /** What `moves` counts changes of. */
  sign: string;
}

const presenceChanged = StateEffect.define<null>();

class Presence implements Part {
  remotes: readonly Remote[] = [];
  readonly #view: EditorView;
  readonly #binding: Binding;
  readonly #client: BoundClient;
  readonly #stops: (() => void)[];
  #introduced = false;
  #published = '';
  #entered = false;
  #queued = false;
  #redraws = false;
  #gone = false;

  constructor(view: EditorView, given: Binding, client: BoundClient) {
    this.#view = view;
    this.#binding = given;
    this.#client = client;
    const again = () => this.#later({ redraws: true });
    this.#stops = [client.presence.observe(again), client.on('synced', again)];
    this.#later({ redraws: true });
  }

  update(update: ViewUpdate): void {
    this.#entered ||= update.view.hasFocus;
    const { docChanged, selectionSet, focusChanged } = update;
    if (docChanged || selectionSet || focusChanged) this.#later({ redraws: false });
    if (docChanged || changedBy(update)) this.remotes = this.#locate();
  }

  destroy(): void {
    this.#gone = true;
    for (const stop of this.#stops) stop();
    if (this.#isShown()) this.#say({ [this.#binding.field]: null });
  }

  /** Once for all that happens in one task. How often it is sent is the presence's own business. */
  #later({ redraws }: { redraws: boolean }): void {
    this.#redraws ||= redraws;
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (this.#gone) return;
      this.#publish();
      if (this.#redraws) this.#view.dispatch({ effects: presenceChanged.of(null) });
      this.#redraws = false;
    });
  }

  #publish(): void {
    const { user, field, text } = this.#binding;
    if (!this.#introduced && user) this.#introduced = this.#say(user);
    const link = linkOf(this.#view);
    // Whoever has only looked has no place to show.
    if (!this.#entered || !link) return;
    const { anchor, head, from, empty } = this.#view.state.selection.main;
    // The caret keeps to what follows it, so that it goes along with what is typed before it; a selection does not grow.
    const cursor = (at: number) => {
      const assoc = empty || at === from ? 1 : -1;
      return text.cursor(link.toText(at, assoc), assoc);
    };
    try {
      const at = cursor(head);
      const selection = { doc: text.name, anchor: empty ? at : cursor(anchor), head: at };
      const sign = signOf(selection);
      if (sign !== this.#published && this.#say({ [field]: selection })) this.#published = sign;
    } catch {
      // Not connected yet, closed, or the text has changed and its event is on the way: said with the next change.
    }
  }

  /** Whether others see what this editor published, and not what another editor of the client did since. */
  #isShown(): boolean {
    if (this.#published === '') return false;
    try {
      const shown = toSelection(this.#client.presence.get()[this.#binding.field]);
      return shown !== undefined && signOf(shown) === this.#published;
    } catch {
      return false;
    }
  }

  #say(fields: Parameters<BoundClient['presence']['set']>[0]): boolean {
    try {
      this.#client.presence.set(fields);
      return true;
    } catch {
      return false;
    }
  }

  #locate(): Remote[] {
    const { text, field } = this.#binding;
    const link = linkOf(this.#view);
    const { length } = this.#view.state.doc;
    const before = new Map(this.remotes.map((remote) => [remote.peerId, remote]));
    const remotes: Remote[] = [];
    const others = [...statesOf(this.#client)].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [peerId, state] of others) {
      const claim = toSelection(state[field]);
      if (!link || claim?.doc !== text.name) continue;
      const anchor = indexOf(text, claim.anchor);
      const head = indexOf(text, claim.head);
      if (anchor === undefined || head === undefined) continue;
      const person = toPerson(state, peerId);
      const sign = `${claim.anchor} ${claim.head} ${person.name}`;
      const known = before.get(peerId);
      const moves = (known?.moves ?? 0) + (known?.sign === sign ? 0 : 1);
      remotes.push({ peerId, person, anchor: link.toDoc(anchor, length), head: link.toDoc(head, length), moves, sign });
      if (remotes.length >= MAX_SHOWN) break;
    }
    return remotes;
  }
}

/** The order of fields in presence is not that in which they were set. */
const signOf = ({ doc, anchor, head }: ClaimedSelection) => JSON.stringify([doc, anchor, head]);

function indexOf(text: Binding['text'], cursor: string): number | undefined {
  try {
    const index = text.index(cursor);
    return Number.isSafeInteger(index) ? index : undefined;
  } catch {
    return undefined;
  }
}

const changedBy = ({ transactions }: ViewUpdate) =>
  transactions.some(({ effects }) => effects.some((effect) => effect.is(presenceChanged)));

const plugin = partOf((view, given) => given.client && new Presence(view, given, given.client));
const remotesOf = (view: EditorView) => view.plugin(plugin)?.part?.remotes ?? [];
const redraws = (update: ViewUpdate) => update.docChanged || changedBy(update);

/** A piece of someone's selection. */
class Piece implements LayerMarker {
  readonly #box: RectangleMarker;
  readonly #color: string;

  constructor(box: RectangleMarker, color: string) {
    this.#box = box;
    this.#color = color;
  }

  eq(other: Piece): boolean {
    return this.#color === other.#color && this.#box.eq(other.#box);
  }

  draw(): HTMLElement {
    const element = this.#box.draw();
    element.style.backgroundColor = `${this.#color}40`;
    return element;
  }
}

/** Someone's caret with the name on it. */
class Caret implements LayerMarker {
  readonly #remote: Remote;
  readonly #box: RectangleMarker;
  readonly #place: string;

  constructor(remote: Remote, box: RectangleMarker, width: number) {
    this.#remote = remote;
    this.#box = box;
    // The name stays inside: no bar to scroll with comes and goes because of it.
    this.#place = `${box.top < NAME_HEIGHT_PX ? 'below' : 'above'} ${box.left > width / 2 ? 'left' : 'right'}`;
  }

  eq(other: Caret): boolean {
    const { peerId, moves, person } = this.#remote;
    const theirs = other.#remote;
    const same = peerId === theirs.peerId && moves === theirs.moves && person.color === theirs.person.color;
    return same && this.#place === other.#place && this.#box.eq(other.#box);
  }

  draw(): HTMLElement {
    const element = this.#box.draw();
    const name = element.appendChild(document.createElement('span'));
    name.className = 'cm-peersync-name';
    name.dir = 'auto';
    this.#fill(element, name);
    return element;
  }

  update(element: HTMLElement, before: Caret): boolean {
    const name = element.firstElementChild;
    if (before.#remote.peerId !== this.#remote.peerId || !(name instanceof HTMLElement)) return false;
    this.#box.update(element, before.#box);
    this.#fill(element, name);
    return true;
  }

  #fill(element: HTMLElement, name: HTMLElement): void {
    const { person, moves } = this.#remote;
    if (name.textContent !== person.name) name.textContent = person.name;
    name.style.color = inkOn(person.color);
    name.dataset['place'] = this.#place;
    // Two names for one animation: changing from one to the other starts it again.
    name.dataset['turn'] = moves % 2 === 0 ? 'even' : 'odd';
    element.style.setProperty('--peersync-color', person.color);
  }
}

const selections = layer({
  above: false,
  class: 'cm-peersync-selections',
  update: redraws,
  markers: (view) =>
    remotesOf(view).flatMap(({ person, anchor, head }) => {
      if (anchor === head) return [];
      const range = EditorSelection.range(anchor, head);
      return RectangleMarker.forRange(view, 'cm-peersync-selection', range).map((box) => new Piece(box, person.color));
    }),
});

const carets = layer({
  above: true,
  class: 'cm-peersync-carets',
  update: redraws,
  markers: (view) =>
    remotesOf(view).flatMap((remote) => {
      const boxes = RectangleMarker.forRange(view, 'cm-peersync-caret', EditorSelection.cursor(remote.head));
      return boxes.map((box) => new Caret(remote, box, view.scrollDOM.clientWidth));
    }),
});

const fade = { from: { opacity: 1 }, to: { opacity: 0 } };

const theme = EditorView.baseTheme({
  '.cm-peersync-carets': { pointerEvents: 'none' },
  '.cm-peersync-caret': { width: '0', marginLeft: '-1px', borderLeft: '2px solid var(--peersync-color)' },
  '.cm-peersync-caret::before': {
    position: 'absolute',
    top: '-3px',
    left: '-4px',
    width: '6px',
    height: '6px',
    borderRadius: '50%',
    backgroundColor: 'var(--peersync-color)',
    content: '""',
    // Where the name is to be had again.
    pointerEvents: 'auto',
  },
  '.cm-peersync-name': {
    position: 'absolute',
    left: '-2px',
    bottom: '100%',
    maxWidth: '10em',
    padding: '1px 6px 2px',
    overflow: 'hidden',
    borderRadius: '4px 4px 4px 0',
    backgroundColor: 'var(--peersync-color)',
    font: '600 12px/1.3 system-ui, sans-serif',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
    unicodeBidi: 'isolate',
    animation: 'cm-peersync-fade-even 0.4s 4s forwards',
  },
  '.cm-peersync-caret:hover .cm-peersync-name': { animation: 'none' },
  '.cm-peersync-name[data-turn=odd]': { animationName: 'cm-peersync-fade-odd' },
  '.cm-peersync-name[data-place~=below]': { top: '100%', bottom: 'auto', borderRadius: '0 4px 4px 4px' },
  '.cm-peersync-name[data-place~=left]': { left: 'auto', right: '0', borderRadius: '4px 4px 0 4px' },
  '@keyframes cm-peersync-fade-even': fade,
  '@keyframes cm-peersync-fade-odd': fade,
});

/** Publishes this editor's selection and shows those of others. */
export const presence = [plugin, selections, carets, theme];
