// Pointers on the board: one draws, two pinch and pan, the wheel scrolls and zooms. What one pointer does is up to the
// tool: `begin(at, event)` gives a gesture, `{move(at, event), end(at), cancel()}`.

const WHEEL_LINE = 16;

export class Pointers {
  #element;
  #view;
  #begin;
  /** By pointer id, on the screen. */
  #down = new Map();
  #gesture;
  /** Held: any pointer pans. */
  panning = false;

  constructor(element, view, begin) {
    [this.#element, this.#view, this.#begin] = [element, view, begin];
    element.addEventListener('pointerdown', (event) => this.#start(event));
    element.addEventListener('pointermove', (event) => this.#move(event));
    element.addEventListener('pointerup', (event) => this.#end(event));
    element.addEventListener('pointercancel', (event) => this.#cancel(event));
    element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    // Middle button and long presses are ours.
    element.addEventListener('auxclick', (event) => event.preventDefault());
    element.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  get busy() {
    return this.#gesture !== undefined;
  }

  /** Gives up what is being done. Returns whether anything was. */
  cancel() {
    const gesture = this.#gesture;
    this.#gesture = undefined;
    gesture?.cancel();
    return gesture !== undefined;
  }

  #start(event) {
    if (event.button > 1) return;
    this.#element.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#down.size > 1) {
      this.cancel();
    } else if (event.button === 1 || this.panning) {
      event.preventDefault();
      this.#gesture = this.pan();
    } else {
      this.#gesture = this.#begin(this.#view.toBoard(event), event);
    }
  }

  /** A gesture that moves the board. */
  pan() {
    this.#element.classList.add('grabbing');
    const done = () => this.#element.classList.remove('grabbing');
    return { move: (_, { movedX, movedY }) => this.#view.pan(movedX, movedY), end: done, cancel: done };
  }

  #move(event) {
    const last = this.#down.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.#down.size === 2) this.#pinch(event.pointerId, last, now);
    this.#down.set(event.pointerId, now);
    // `movementX` is in other units on some systems.
    [event.movedX, event.movedY] = [now.x - last.x, now.y - last.y];
    this.#gesture?.move(this.#view.toBoard(event), event);
  }

  #end(event) {
    if (!this.#down.delete(event.pointerId)) return;
    const gesture = this.#gesture;
    this.#gesture = undefined;
    gesture?.end(this.#view.toBoard(event), event);
  }

  #cancel(event) {
    if (this.#down.delete(event.pointerId)) this.cancel();
  }

  #pinch(id, last, now) {
    const [other] = [...this.#down].find(([key]) => key !== id).slice(1);
    const middle = (point) => ({ clientX: (point.x + other.x) / 2, clientY: (point.y + other.y) / 2 });
    const apart = (point) => Math.max(20, Math.hypot(point.x - other.x, point.y - other.y));
    const [before, after] = [middle(last), middle(now)];
    this.#view.pan(after.clientX - before.clientX, after.clientY - before.clientY);
    this.#view.zoomBy(apart(now) / apart(last), this.#view.toBoard(after));
  }

  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : WHEEL_LINE;
    const [dx, dy] = event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    // A pinch on a touchpad arrives as a wheel with Ctrl.
    if (event.ctrlKey || event.metaKey) this.#view.zoomBy(Math.exp(Math.max(-50, Math.min(50, -dy * unit)) / 100), this.#view.toBoard(event));
    else this.#view.pan(-dx * unit, -dy * unit);
  }
}
