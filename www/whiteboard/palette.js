// Colour and width: what the next shape gets, and what selected shapes are given.
import { PALETTE, visible } from './colors.js';

const $ = (id) => document.getElementById(id);

export class Palette {
  /** What the next shape gets. */
  style = { color: PALETTE[0][0], width: 4 };
  #listeners = [];

  constructor() {
    const any = $('any').parentElement;
    for (const [index, [color, name]] of PALETTE.entries()) any.before(this.#swatch(color, name, index));
    // Not `change`: picking the same colour again gives it to what is selected.
    for (const radio of document.querySelectorAll('[name=color]')) radio.addEventListener('click', () => this.#pickColor(radio.value));
    for (const radio of document.querySelectorAll('[name=width]')) {
      radio.addEventListener('click', () => {
        this.style.width = Number(radio.value);
        this.#picked({ stroke_width: this.style.width });
      });
    }
    $('any').addEventListener('change', () => {
      for (const radio of document.querySelectorAll('[name=color]')) radio.checked = false;
      this.#pickColor($('any').value);
    });
    this.paint();
  }

  /** `listener` gets the fields that were picked, as records have them. */
  onPick(listener) {
    this.#listeners.push(listener);
  }

  /** Picks the colour of that number, from 0. */
  choose(number) {
    document.querySelectorAll('[name=color]')[number]?.click();
  }

  /** Shows the colours as they look on the paper of this moment. */
  paint() {
    for (const radio of document.querySelectorAll('[name=color]')) {
      radio.nextElementSibling.style.setProperty('--color', visible(radio.value));
    }
    const chosenAny = !document.querySelector('[name=color]:checked');
    $('any').parentElement.classList.toggle('chosen', chosenAny);
    $('any').nextElementSibling.style.setProperty('--color', chosenAny ? visible(this.style.color) : '');
    $('current').style.setProperty('--color', visible(this.style.color));
    $('current').style.setProperty('--size', `${8 + Math.sqrt(this.style.width) * 3.5}px`);
  }

  #pickColor(color) {
    this.style.color = color;
    this.#picked({ color });
  }

  #picked(fields) {
    this.paint();
    for (const listener of this.#listeners) listener(fields);
  }

  #swatch(color, name, index) {
    const label = document.createElement('label');
    label.className = 'tool color';
    label.title = `${name} (${index + 1})`;
    const radio = Object.assign(document.createElement('input'), { type: 'radio', name: 'color', value: color, checked: index === 0 });
    radio.setAttribute('aria-label', name);
    const swatch = document.createElement('span');
    swatch.className = 'swatch';
    label.append(radio, swatch);
    return label;
  }
}
