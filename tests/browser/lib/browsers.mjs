// Real Chromium processes: found, started once each, and given fresh contexts per test.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { artifacts } from './runner.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const FOLDERS = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin', '/usr/local/bin', '/snap/bin'];
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
const ARGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function findChrome() {
  const given = process.env.CHROME || process.env.CHROMIUM;
  if (given) return given;
  const places = [...NAMES.flatMap((name) => FOLDERS.map((folder) => path.join(folder, name))), MAC];
  const found = places.find((file) => existsSync(file));
  if (!found) throw new Error('no Chrome or Chromium was found: install one, or set CHROME to its path');
  return found;
}

const running = new Map();
const pages = new Set();

/** The browser process of that name; started on first use. */
function browser(name) {
  if (!running.has(name)) running.set(name, chromium.launch({ executablePath: findChrome(), args: ARGS, timeout: 60_000 }));
  return running.get(name);
}

/** A page in browser process `name` ('A', 'B', 'C'), with storage of its own. What it logs is kept in `page.lines`. */
export async function openPage(context, name, url, options = {}) {
  const chrome = await browser(name);
  const isolated = await chrome.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  isolated.setDefaultTimeout(20_000);
  const page = await isolated.newPage();
  page.lines = [];
  page.failures = [];
  page.on('console', (message) => page.lines.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.failures.push(error.message));
  pages.add(page);
  page.forget = async () => {
    pages.delete(page);
    await isolated.close();
  };
  context.defer(() => page.forget());
  await page.goto(url);
  return page;
}

export const screenshot = (page, name, options) => page.screenshot({ ...options, path: path.join(artifacts, `${name}.png`) });

/** For a failed test: what every open page showed and said. */
export async function explain(context, error) {
  let number = 0;
  for (const page of pages) {
    number += 1;
    const file = `failed-${context.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)}-${number}`;
    await screenshot(page, file).catch(() => {});
    const said = [...page.lines, ...page.failures.map((line) => `uncaught: ${line}`)].slice(-15);
    error.stack += `\n  page ${number} (${page.url()}, ${file}.png) said:\n    ${said.join('\n    ')}`;
  }
}

export async function closeBrowsers() {
  await Promise.all([...running.values()].map((launched) => launched.then((chrome) => chrome.close()).catch(() => {})));
}
