// Colours: what the palette offers, and how a stored colour is shown on light and on dark paper.
import { INK } from './shapes.js';

export const PALETTE = [
  [INK, 'Ink'],
  ['#e03131', 'Red'],
  ['#e8710a', 'Orange'],
  ['#f2b705', 'Yellow'],
  ['#2f9e44', 'Green'],
  ['#1c7ed6', 'Blue'],
  ['#7048e8', 'Violet'],
  ['#868e96', 'Grey'],
];

/** For people who say no colour. */
export const PEOPLE = ['#c2255c', '#9c36b5', '#5f3dc4', '#3b5bdb', '#1971c2', '#0b7285', '#2b8a3e', '#a15c07', '#c92a2a'];

const PAPER = { light: [255, 254, 251], dark: [28, 31, 37] };
/** Least contrast with the paper. Light yellow on white is somebody's choice; ink on a dark page is not. */
const CONTRAST = { light: 1.25, dark: 3.5 };
const MOST_KNOWN = 1_000;

const dark = matchMedia('(prefers-color-scheme: dark)');
const known = new Map();
let brush;

/** Calls `listener` when the page turns from light to dark or back. */
export function onTheme(listener) {
  dark.addEventListener('change', () => {
    known.clear();
    listener();
  });
}

/** Red, green, blue of any CSS colour; what is transparent counts as on the paper. */
function channels(color) {
  brush ??= new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = color;
  brush.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
  return alpha < 64 ? undefined : [red, green, blue];
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** Black or white, whichever can be read on `color`. */
export const onColor = (color) => (luminance(channels(color) ?? [0, 0, 0]) > 0.4 ? '#000' : '#fff');

/** The colour as it is shown on the paper of this moment: its own, or moved away from the paper until it is seen. */
export function visible(color, theme = dark.matches ? 'dark' : 'light') {
  const key = theme + color;
  const before = known.get(key);
  if (before) return before;
  if (known.size > MOST_KNOWN) known.clear();
  const shown = adjust(channels(color) ?? channels(INK), theme);
  known.set(key, shown);
  return shown;
}

function adjust(rgb, theme) {
  const target = theme === 'dark' ? 255 : 0;
  let shown = rgb;
  for (let step = 1; step <= 20 && contrast(shown, PAPER[theme]) < CONTRAST[theme]; step += 1) {
    shown = rgb.map((value) => Math.round(value + ((target - value) * step) / 20));
  }
  // Ink is the strongest there is, on either paper.
  if (theme === 'dark' && Math.max(...rgb) < 64) shown = [232, 232, 228];
  return `rgb(${shown.join(' ')})`;
}
