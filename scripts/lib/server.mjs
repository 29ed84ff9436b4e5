// Running `peersync serve` in the foreground of a script.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { at } from './paths.mjs';

const dataDir = at('.data');
const readyFile = path.join(dataDir, 'ready.json');

/** Starts the server; resolves to `{ child, exited }`, where `exited` is the promise of its exit code. */
export function startServer(binary, args = []) {
  mkdirSync(dataDir, { recursive: true });
  rmSync(readyFile, { force: true });
  const defaults = [['--host', '127.0.0.1'], ['--port', '8000'], ['--data-dir', dataDir], ['--ready-file', readyFile]];
  const given = (flag) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const flags = defaults.filter(([flag]) => !given(flag)).flat();
  // A process group of its own: Ctrl-C reaches it once, through `forwardSignals`, and not a second time by the terminal.
  const child = spawn(binary, ['serve', ...flags, ...args], { cwd: at(), stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const exited = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
  return { child, exited };
}

/** The server's own HTTP address once it listens; null if it ended first. */
export async function listening({ child }) {
  while (child.exitCode === null && child.signalCode === null) {
    if (existsSync(readyFile)) return JSON.parse(readFileSync(readyFile, 'utf8')).http;
    await sleep(50);
  }
  return null;
}

/** Passes SIGINT and SIGTERM on, so that the server can finish what it accepted. */
export function forwardSignals(current) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => current()?.kill(signal));
}
