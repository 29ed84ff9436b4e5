// Running `peersync serve` in the foreground of a script.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { at } from './paths.mjs';

const POLL_MILLIS = 50;

/** The value `args` give for `flag`, in either spelling, or undefined. */
export function flagValue(args, flag) {
  const index = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (index === -1) return undefined;
  return args[index] === flag ? args[index + 1] : args[index].slice(flag.length + 1);
}

/** Starts the server on its default address, with its data in .data, unless `args` or the environment say otherwise. */
export function startServer(binary, args = []) {
  const { PEERSYNC_DATA_DIR, PEERSYNC_READY_FILE } = process.env;
  const dataDir = flagValue(args, '--data-dir') ?? PEERSYNC_DATA_DIR ?? at('.data');
  const wanted = flagValue(args, '--ready-file') ?? PEERSYNC_READY_FILE ?? path.join(dataDir, 'ready.json');
  const readyFile = path.resolve(at(), wanted);
  mkdirSync(path.dirname(readyFile), { recursive: true });
  // A server that was killed has left its file behind.
  rmSync(readyFile, { force: true });
  const own = (flag, value) => (flagValue(args, flag) === undefined ? [flag, value] : []);
  const flags = ['serve', ...own('--data-dir', dataDir), ...own('--ready-file', readyFile), ...args];
  // A process group of its own: Ctrl-C reaches it once, through `forwardSignals`, and not again from the terminal.
  const child = spawn(binary, flags, { cwd: at(), stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const server = { child, readyFile, ended: false };
  server.exited = new Promise((resolve) => {
    const end = (code) => { server.ended = true; resolve(code); };
    child.on('error', (error) => { console.error(`peersync: ${error.message}`); end(1); });
    child.on('exit', (code) => end(code ?? 1));
  });
  return server;
}

/** The server's own HTTP address once it listens; null if it ended first. */
export async function listening(server) {
  while (!server.ended) {
    try {
      return JSON.parse(readFileSync(server.readyFile, 'utf8')).http;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    await sleep(POLL_MILLIS);
  }
  return null;
}

/** Passes SIGINT and SIGTERM on, so that the server can finish what it accepted. */
export function forwardSignals(current) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => current()?.kill(signal));
}
