// Writing on the board: a <textarea> over the place where the text will be. Others see it while it is typed.
import { visible } from './colors.js';
import { freshId } from './edits.js';
import { bounds, fontSize, LINE_HEIGHT, recordOf, rounded, storable, TEXT_LENGTH } from './shapes.js';

/** How much of a text others see while it is written: presence is small. */
const LIVE_LENGTH = 400;
/** Pixels that stay free around the field when it is brought into sight. */
const FREE = 24;

export class TextEditor {
  #board;
  #area;
  /** What is written: `{id, shape, isNew}`. */
  #writing;
  #times = 0;

  /** `board` has scene, view, selection, edits, say, tell(sentence), style; `area` is the textarea, hidden when there is nothing to write. */
  constructor(board, area) {
    [this.#board, this.#area] = [board, area];
    area.maxLength = TEXT_LENGTH;
    // The board must not take the press for its own.
    area.addEventListener('pointerdown', (event) => event.stopPropagation());
    area.addEventListener('input', () => this.#typed());
    area.addEventListener('blur', () => this.close());
    area.addEventListener('keydown', (event) => {
      const done = event.key === 'Escape' || (event.key === 'Enter' && (event.ctrlKey || event.metaKey));
      // An input method uses these keys for itself.
      if (!done || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
    board.view.onChange(() => this.#place());
  }

  /** Writes a new text at `at`, or goes on with the text `id`. */
  start({ id, at }) {
    if (!this.close()) return;
    const { scene, style, selection } = this.#board;
    const stored = id === undefined ? undefined : scene.stored(id);
    const fresh = at && { type: 'text', points: [at], color: style.color, width: style.width, text: '' };
    if (!stored && !fresh) return;
    this.#writing = { id: id ?? freshId(), shape: stored ?? fresh, isNew: !stored };
    this.#times += 1;
    selection.clear();
    if (stored) scene.preview(id, { hidden: true });
    this.#area.value = this.#writing.shape.text;
    this.#area.hidden = false;
    this.#place();
    this.#intoSight();
    this.#area.focus({ preventScroll: true });
  }

  /** Stores what was written. False if that was refused: the field stays, and the words with it. */
  close() {
    const writing = this.#writing;
    if (!writing) return true;
    if (!this.#store(writing)) return false;
    // First, for hiding the field blurs it, which closes it.
    this.#writing = undefined;
    this.#area.hidden = true;
    const { scene, say } = this.#board;
    scene.preview(writing.id, undefined);
    say({ drag: null });
    this.#board.focus();
    return true;
  }

  #store({ id, shape, isNew }) {
    const { edits, view, tell } = this.#board;
    const text = storable(this.#area.value).trimEnd();
    if (isNew) return text === '' || edits.add({ ...shape, text }, id, view.zoom) !== false;
    if (text === shape.text) return true;
    if (text === '') {
      // No words are lost with it, so nothing keeps the field open.
      edits.remove([id]);
      return true;
    }
    if (edits.has(id)) return edits.restyle([id], { text });
    const added = edits.add({ ...shape, text }, freshId(), view.zoom) !== false;
    if (added) tell('Somebody deleted this text meanwhile: yours is a new one');
    return added;
  }

  #shape() {
    return { ...this.#writing.shape, text: this.#area.value, box: undefined };
  }

  #typed() {
    if (!this.#writing) return;
    this.#place();
    const { say, view } = this.#board;
    const { id } = this.#writing;
    const { text, points, ...shape } = this.#shape();
    const live = recordOf({ ...shape, text: text.slice(0, LIVE_LENGTH), points: rounded(points, view.zoom) });
    say({ drag: text.trim() === '' ? null : { n: `t${this.#times}`, shape: { id, ...live } } });
  }

  #place() {
    if (!this.#writing) return;
    const { view } = this.#board;
    const shape = this.#shape();
    const { left, top, right, bottom } = view.boxToScreen(bounds(shape));
    const size = fontSize(shape.width) * view.zoom;
    Object.assign(this.#area.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${right - left + 2 * size}px`,
      height: `${bottom - top + 2}px`,
      font: `${size}px/${LINE_HEIGHT} var(--sans)`,
      color: visible(shape.color),
    });
  }

  /** Pans the board if the place is outside, or at its edge. */
  #intoSight() {
    const { view } = this.#board;
    const { left, top, bottom } = view.boxToScreen(bounds(this.#shape()));
    const dx = left < FREE ? FREE - left : Math.min(0, view.width - 120 - left);
    const dy = top < FREE ? FREE - top : Math.min(0, view.height - FREE - bottom);
    if (dx !== 0 || dy !== 0) view.pan(dx, dy);
  }
}
