// Real Chromium processes: found, started once each, and given fresh contexts per test. One that is to be killed is
// started by itself, with a profile that outlives it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { artifacts, eventually, within } from './runner.mjs';

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

/**
 * A page in browser process `name` ('A', 'B', 'C'), with storage of its own. What it logs is kept in `page.lines`.
 * `prepare(page)` may change it before anything is loaded.
 */
export async function openPage(context, name, url, { prepare, ...options } = {}) {
  const chrome = await browser(name);
  const isolated = await chrome.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  isolated.setDefaultTimeout(20_000);
  const page = watch(await isolated.newPage());
  page.forget = async () => {
    pages.delete(page);
    await isolated.close();
  };
  context.defer(() => page.forget());
  await prepare?.(page);
  await page.goto(url);
  return page;
}

/** Another tab beside `page`: the same storage. */
export async function openBeside(page, url) {
  const beside = watch(await page.context().newPage());
  await beside.goto(url);
  return beside;
}

function watch(page) {
  page.lines = [];
  page.failures = [];
  page.on('console', (message) => page.lines.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.failures.push(error.message));
  page.on('close', () => pages.delete(page));
  pages.add(page);
  return page;
}

/** A folder for what a browser remembers. */
export function freshProfile(context) {
  const folder = mkdtempSync(path.join(tmpdir(), 'peersync-profile-'));
  context.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

/** A browser with that profile and one page. `kill()` is `kill -9` of all its processes. */
export async function startBrowser(context, profile, url) {
  const portFile = path.join(profile, 'DevToolsActivePort');
  rmSync(portFile, { force: true });
  // A killed browser leaves its lock.
  for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) rmSync(path.join(profile, name), { force: true });
  const args = [...ARGS, `--user-data-dir=${profile}`, '--remote-debugging-port=0', '--no-default-browser-check', 'about:blank'];
  // A group of its own, so that one signal reaches every process of it.
  const child = spawn(findChrome(), args, { detached: true, stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const kill = async () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
    await within(10_000, 'the killed browser is gone', exited);
  };
  context.defer(kill);
  const port = await eventually(30_000, 'the browser listens', () => existsSync(portFile) && readFileSync(portFile, 'utf8').split('\n')[0]);
  const chrome = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  const page = watch(chrome.contexts()[0].pages()[0] ?? (await chrome.contexts()[0].newPage()));
  await page.goto(url);
  return { page, kill };
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
