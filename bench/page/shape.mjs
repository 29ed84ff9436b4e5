// The shapes of the board that is measured.

/** A shape as the whiteboard stores it: of a hundred, sixty have two points, twenty-five are freehand, fifteen are texts. */
export function shapeOf(number) {
  let state = number + 1;
  const below = (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  const point = () => ({ x: below(19_200) / 10, y: below(10_800) / 10 });
  const kind = number % 20;
  const base = { color: `#${(below(0xffffff) | 0x1000000).toString(16).slice(1)}`, stroke_width: 1 + below(8) };
  if (kind < 12) return { type: ['line', 'rectangle', 'circle'][kind % 3], points: [point(), point()], ...base };
  if (kind < 17) return { type: 'freehand', points: Array.from({ length: 60 }, point), ...base };
  return { type: 'text', points: [point()], ...base, text: 'A note that somebody left here' };
}
